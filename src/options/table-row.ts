/** Use of a file by a command; `state` replaces the report or the metrics of an earlier run. */
export type FileUse = "read" | "output" | "state";

/** Functions and commands with options. `run` is a run of one file and `dataset` of many; `softjac run` does both. */
export type Command =
  | ("run" | "dataset" | "plan" | "run-shard" | "finalize" | "status" | "gc")
  | ("submit" | "worker" | "wait")
  | ("show" | "verify" | "inspect" | "report" | "generate")
  | ("reduce" | "effects" | "calibrate" | "merge");

interface Fields {
  /** Type of the value. `names` is a list in which `\,` is a comma of a name; `ranges` is a list written as 3,7-9. */
  kind:
    | ("path" | "paths" | "string" | "list" | "names")
    | ("integer" | "number" | "boolean" | "ranges");
  help: string;
  alias?: string;
  choices?: readonly string[];
  /** Inclusive range of a number; default for an integer: from 0. */
  range?: readonly [number, number];
  default?: string | number | boolean;
  /** Use of the file or directory that the value names. */
  file?: FileUse;
  /** Name in messages of an argument that has no flag. */
  argument?: string;
  isRequired?: boolean;
  /** Environment variables of other tools, used if no flag, SOFTJAC_* variable or config file sets the option. */
  variables?: readonly string[];
  /** Whether the option has no flag, because other users of the machine can read command lines. */
  isSecret?: boolean;
}

interface SectionFields {
  group:
    | ("Input" | "Results" | "Values" | "Output" | "Running")
    | ("Dataset" | "S3" | "Queue" | "Reporting");
  commands: readonly Command[];
  /** Whether the value changes bytes of the output or only the process. */
  affects: "bytes" | "process";
}

/** Option of functions and commands. `name` is the property in the library; the flag is `name` in kebab-case. */
export interface OptionSpec extends Fields, SectionFields {
  name: string;
}

type Overrides = Partial<Omit<Fields, "kind"> & SectionFields>;

type Presence = "required" | "defaulted" | "optional";

/** Row of a section: its fields, and types for the library. `Own` are its commands; `never` for those of the section. */
export interface Row<Value, Own extends Command, P extends Presence>
  extends Fields,
    Partial<SectionFields> {
  types?: [Value, Own, P];
}

type ValueOf<Value, More> = More extends {
  choices: readonly (infer Choice)[];
}
  ? Value extends readonly string[]
    ? readonly Choice[]
    : Choice
  : Value;
type OwnOf<More> = More extends { commands: readonly (infer C)[] } ? C : never;
type PresenceOf<More, Usual> = More extends { isRequired: true }
  ? "required"
  : More extends { default: unknown }
    ? "defaulted"
    : Usual;

/** Returns a function that makes rows of a kind. */
const option =
  <Value, Usual extends Presence = "optional">(
    kind: Fields["kind"],
    usual: Overrides = {},
  ) =>
  <const More extends Overrides = object>(help: string, more?: More) =>
    ({ kind, help, ...usual, ...more }) as Row<
      ValueOf<Value, More>,
      OwnOf<More> & Command,
      PresenceOf<More, Usual> & Presence
    >;

export const text = option<string>("string");
/** A text that the library accepts as a number too. */
export const textOrNumber = option<string | number>("string");
export const list = option<readonly string[]>("list");
export const names = option<readonly string[]>("names");
export const integer = option<number>("integer");
export const number = option<number>("number");
export const positive = option<number>("integer", {
  range: [1, Number.MAX_SAFE_INTEGER],
});
export const seconds = option<number>("number", { range: [0.1, 2_000_000] });
export const ranges = option<readonly number[]>("ranges");
export const flag = option<boolean, "defaulted">("boolean", { default: false });
export const path = option<string, "required">("path", { isRequired: true });
export const paths = option<readonly string[], "required">("paths", {
  isRequired: true,
});
export const outputPath = option<string, "required">("path", {
  isRequired: true,
  file: "output",
  alias: "o",
});
/** Path of an output that a command may do without. */
export const outputText = option<string>("string", {
  file: "output",
  alias: "o",
});

/** Returns the row of an argument, named `argument` in messages. */
export const argument = (
  argument: string,
  help: string,
  more?: Omit<Overrides, "commands" | "choices">,
) =>
  option<string, "required">("path", {
    ...{ argument, file: "read", isRequired: true, ...more },
  })(help);

/** Returns the row of one or more arguments. */
export const listOfArguments = (argument: string, help: string) =>
  paths(help, { argument, file: "read" });

/** Options of a section by name. */
export type Section<Rows, C extends Command> = {
  [K in keyof Rows]: Rows[K] extends Row<infer Value, infer Own, infer P>
    ? Row<Value, [Own] extends [never] ? C : Own, P>
    : never;
};

/** Returns the options of a section; the fields of a row override those of the section. */
export function section<
  const C extends Command,
  Rows extends Record<string, Row<unknown, Command, Presence>>,
>(
  group: SectionFields["group"],
  commands: readonly C[],
  affects: SectionFields["affects"],
  rows: Rows,
): Section<Rows, C> {
  const base = { group, commands, affects };
  return Object.fromEntries(
    Object.entries(rows).map(([name, row]) => [name, { ...base, ...row }]),
  ) as Section<Rows, C>;
}

/** Names of the options of a command in a section. */
export type NamesOf<
  S,
  C extends Command,
  P extends Presence = Presence,
> = S extends unknown
  ? {
      [K in keyof S]: S[K] extends Row<unknown, infer Own, infer Of>
        ? [C, Of] extends [Own, P]
          ? K
          : never
        : never;
    }[keyof S]
  : never;

type Value<R> = R extends Row<infer V, Command, Presence> ? V : never;

/**
 * Options of a command in a section, for callers; `unknown`, which disappears in intersections, for none. Mapped over
 * `keyof Pick<…>`, a property keeps the comment of its row.
 */
export type OptionsIn<S, C extends Command> = [NamesOf<S, C>] extends [never]
  ? unknown
  : {
      [K in keyof Pick<S, NamesOf<S, C, "required">>]: Value<S[K]>;
    } & {
      [K in keyof Pick<S, NamesOf<S, C, "defaulted" | "optional">>]?:
        | Value<S[K]>
        | undefined;
    };
