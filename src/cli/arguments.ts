import yargs, { type Argv } from "yargs";
import { UsageError } from "../errors.js";
import { type OptionSpec, RUN_OPTIONS, type RunOptions } from "../options.js";
import { VERSION } from "../version.js";

/** A command line, understood. */
export type Command =
  | { name: "run"; options: RunOptions; flags: RunFlags }
  | { name: "help"; text: string };

/** What concerns the terminal alone. */
export interface RunFlags {
  dryRun: boolean;
  json: boolean;
  quiet: boolean;
}

const FLAGS = {
  "dry-run": "Print the plan and do nothing",
  json: "Print the report as JSON on standard output",
  quiet: "Print errors only",
} as const;

/**
 * Parses a command line. Every value reaches the options as it was typed: yargs turns "abc" into NaN and a repeated flag
 * into a list without a word, so it parses no numbers here and repeats are refused.
 * @throws UsageError
 */
export async function parseArguments(argv: string[]): Promise<Command> {
  refuseRepeatedFlags(argv);
  let command: Command | null = null;
  const parser = base(argv).command(
    "run <input>",
    "Softmax and its Jacobian blocks of every row of a file",
    (run) => runSyntax(run),
    (parsed) => {
      command = runCommand(parsed as Record<string, unknown>);
    },
  );
  let text = "";
  await parser.parseAsync(argv, {}, (error, _, output) => {
    if (error) throw error;
    text = output;
  });
  if (text) return { name: "help", text };
  return command ?? { name: "help", text: await parser.getHelp() };
}

function base(argv: string[]): Argv {
  return yargs(argv)
    .scriptName("softjac")
    .locale("en")
    .usage(
      "$0 <command>\n\nSoftmax and its exact Jacobian for datasets: Arrow files of logits in, sparse Arrow tables out.",
    )
    .parserConfiguration({
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
      "camel-case-expansion": false,
    })
    .strict()
    .demandCommand(1, "expected a command, found none: softjac run --help")
    .version(VERSION)
    .alias({ help: "h" })
    .exitProcess(false)
    .fail((message, error) => {
      throw error instanceof UsageError
        ? error
        : new UsageError(plain(message ?? error.message));
    });
}

function runSyntax(run: Argv): Argv {
  run
    .usage(
      "$0 run <input> -o <output>\n\nSoftmax and its Jacobian blocks of every row of an Arrow IPC file.",
    )
    .example("$0 run logits.arrow -o jacobian.arrow", "")
    .example(
      "$0 run logits.arrow -o jacobian.arrow --keep id,label --dtype float32",
      "",
    )
    .example("$0 run wide.arrow -o jacobian.arrow --columns 'logit_*'", "")
    .example("$0 run logits.arrow -o jacobian.arrow --dry-run", "")
    .positional("input", {
      type: "string",
      describe: "Arrow IPC file with a column of logits",
    });
  for (const spec of RUN_OPTIONS)
    run.option(kebab(spec.name), {
      ...(spec.kind !== "integer" && {
        type: spec.kind === "boolean" ? "boolean" : "string",
      }),
      describe: spec.help,
      group: `${spec.group}:`,
      requiresArg: spec.kind !== "boolean",
      ...(spec.alias && { alias: spec.alias }),
      ...(spec.choices && { choices: spec.choices }),
      ...(spec.default !== undefined && {
        defaultDescription: String(spec.default),
      }),
    });
  for (const [name, describe] of Object.entries(FLAGS))
    run.option(name, { type: "boolean", describe, group: "Reporting:" });
  return run;
}

function runCommand(parsed: Record<string, unknown>): Command {
  const options: Record<string, unknown> = { input: parsed.input };
  const extra = parsed._ as unknown[];
  if (extra.length > 1)
    throw new UsageError(
      `expected one input, found also ${extra.slice(1).join(", ")}`,
    );
  for (const spec of RUN_OPTIONS) {
    const value = once(kebab(spec.name), parsed[kebab(spec.name)]);
    if (value !== undefined) options[spec.name] = typed(spec, value);
  }
  const flag = (name: string) => once(name, parsed[name]) === true;
  if (options.output === undefined)
    throw new UsageError(
      "--output (-o): expected a path, found nothing",
      "output",
    );
  return {
    name: "run",
    options: options as unknown as RunOptions,
    flags: {
      dryRun: flag("dry-run"),
      json: flag("json"),
      quiet: flag("quiet"),
    },
  };
}

/** yargs makes a list of a repeated option, but of a repeated flag it keeps the last without a word. */
function refuseRepeatedFlags(argv: string[]): void {
  const flags = argv.flatMap(
    (word) => /^--(?:no-)?([a-z][a-z-]*)$/.exec(word)?.[1] ?? [],
  );
  for (const flag of new Set(flags)) {
    const times = flags.filter((other) => other === flag).length;
    if (times > 1) once(flag, flags.slice(0, times));
  }
}

function once(flag: string, value: unknown): unknown {
  if (Array.isArray(value))
    throw new UsageError(
      `--${flag}: expected once, found ${value.length} times`,
      flag,
    );
  return value;
}

/** Texts of the command line as the types that the options table names; what is in them is checked there. */
function typed(spec: OptionSpec, value: unknown): unknown {
  if (spec.kind === "list")
    return String(value)
      .split(",")
      .map((name) => name.trim());
  if (spec.kind !== "integer") return value;
  if (!/^\d{1,15}$/.test(String(value)))
    throw new UsageError(
      `--${kebab(spec.name)}: expected a whole number, found ${JSON.stringify(value)}`,
      spec.name,
    );
  return Number(value);
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** yargs' own sentences, in our form. */
function plain(message: string): string {
  const unknown = /^Unknown (argument|command)s?: (.+)$/.exec(message);
  if (unknown)
    return `expected options and commands that softjac knows, found ${unknown[2]} (softjac run --help lists them)`;
  const missing = /^Not enough arguments following: (.+)$/.exec(message);
  if (missing) return `--${missing[1]}: expected a value, found nothing`;
  const invalid = /Argument: (\S+), Given: (.+), Choices: (.+)$/s.exec(message);
  if (invalid)
    return `--${invalid[1]}: expected ${invalid[3]?.replaceAll(", ", " or ")}, found ${invalid[2]}`;
  if (/^Not enough non-option arguments/.test(message))
    return "expected an input file, found none";
  return message;
}
