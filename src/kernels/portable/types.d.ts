// AssemblyScript's names of machine types: the files of this directory are both TypeScript and AssemblyScript.
declare type f64 = number;
declare type i32 = number;
declare type usize = number;
declare type bool = boolean;
