import yargs, { type Argv } from "yargs";
import { RUN_OPTIONS } from "../options-table.js";
import { EMIT_NAMES, EMITS } from "../results/catalogue.js";
import { FLAGS, kebab } from "./arguments.js";

/** The help of a command, or of softjac itself. Loaded only when asked for: it would cost every run 80 ms. */
export function helpText(command: string | undefined): Promise<string> {
  const words = command === undefined ? [] : [command];
  return new Promise((resolve, reject) => {
    base().parse([...words, "--help"], {}, (error, _, output) => {
      if (error) reject(error);
      else resolve(output);
    });
  });
}

function base(): Argv {
  return yargs()
    .scriptName("softjac")
    .locale("en")
    .usage(
      "$0 <command>\n\nSoftmax and its exact Jacobian for datasets: Arrow files of logits in, sparse Arrow tables out.",
    )
    .command(
      "run <input>",
      "Softmax and its Jacobian blocks of every row of a file",
      runSyntax,
    )
    .version(false)
    .option("version", { type: "boolean", describe: "Show the version" })
    .alias({ help: "h" })
    .describe("help", "Show this help")
    .exitProcess(false);
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
      ...(spec.kind !== "integer" &&
        spec.kind !== "number" && {
          type: spec.kind === "boolean" ? "boolean" : "string",
        }),
      describe: spec.help,
      group: `${spec.group}:`,
      requiresArg: spec.kind !== "boolean",
      ...(spec.alias && { alias: spec.alias }),
      ...(spec.choices && spec.kind !== "list" && { choices: spec.choices }),
      ...(spec.default !== undefined && {
        defaultDescription: String(spec.default),
      }),
    });
  for (const [name, describe] of Object.entries(FLAGS))
    run.option(name, { type: "boolean", describe, group: "Reporting:" });
  const width = Math.max(...EMIT_NAMES.map(({ length }) => length));
  const lines = EMIT_NAMES.map(
    (name) => `  ${name.padEnd(width)}  ${EMITS[name].help}`,
  );
  return run.epilogue(
    `Results for --emit (p = softmax(o/T)):\n${lines.join("\n")}`,
  );
}
