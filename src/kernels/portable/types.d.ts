// The names that AssemblyScript has for machine types, so that the sources of this folder are both languages at once.
declare type f64 = number;
declare type i32 = number;
declare type usize = number;
declare type bool = boolean;
