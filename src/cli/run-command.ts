import { existsSync, statSync } from "node:fs";
import { DATASET_OPTIONS, type DatasetOptions } from "../dataset/options.js";
import { dryRun } from "../dry-run.js";
import { UsageError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { RUN_OPTIONS } from "../options-table.js";
import { EMIT_NAMES, EMITS } from "../results/catalogue.js";
import { run } from "../run.js";
import { kebab } from "./arguments.js";
import { carryOut, failed, printJson } from "./carry-out.js";
import {
  type CommandFlags,
  type CommandSpec,
  REPORT_FLAGS,
} from "./command.js";
import { datasetPlanText, datasetText } from "./dataset-text.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { endBySignal } from "./signals.js";
import { dryRunText, reportText } from "./summary.js";

/** `softjac run` */
export const RUN_COMMAND: CommandSpec = {
  name: "run",
  summary: "Softmax and its Jacobian blocks of every row of a file",
  usage:
    "<inputs..> -o <output>\n\nSoftmax and its Jacobian blocks of every row of a file of logits; of several files, a folder or a pattern: a folder of parts.",
  positional: {
    option: "inputs",
    what: "input file",
    help: "File of logits: Arrow, Parquet, npy, npz or safetensors; - is standard input. Several, a folder or a pattern make a dataset",
    several: true,
  },
  options: [...RUN_OPTIONS, ...DATASET_OPTIONS],
  required: [{ option: "output", shown: "--output (-o)", what: "a path" }],
  flags: { "dry-run": "Print the plan and do nothing", ...REPORT_FLAGS },
  examples: [
    "logits.arrow -o jacobian.arrow",
    "logits.arrow -o jacobian.arrow --keep id,label --dtype float32",
    "wide.arrow -o jacobian.arrow --columns 'logit_*'",
    "logits.arrow -o jacobian.arrow --dry-run",
    "'logits/**/*.arrow' -o jacobian/",
  ],
  epilogue: `Results for --emit (p = softmax(o/T)):\n${emitHelp()}`,
  async execute({ inputs, ...given }, flags) {
    const words = inputs as string[];
    if (isDataset(words, given.output as string))
      return runOverDataset({ ...given, inputs: words }, flags);
    return runOverFile({ ...given, input: words[0] }, flags);
  },
};

async function runOverFile(
  given: Record<string, unknown>,
  flags: CommandFlags,
): Promise<number> {
  const ofDataset = DATASET_OPTIONS.find(({ name }) => name in given);
  if (ofDataset)
    return refused(
      flags,
      `--${kebab(ofDataset.name)}: expected several inputs, or a folder as output (with a slash at its end), found one file`,
      ofDataset.name,
    );
  const options = given as unknown as RunOptions;
  if (flags.has("dry-run"))
    return printPlan(() => dryRun(options), dryRunText, flags);
  if (options.output === "-" && flags.has("json"))
    return failed(
      new UsageError(
        "--json: expected a file as output, since the report goes to standard output, found -",
        "json",
      ),
      EXIT.usage,
      new Set(),
    );
  const code = await carryOut(
    flags,
    (hooks) => run(options, hooks),
    reportText,
  );
  // A write to a pipe that nobody reads cannot be taken back, and would keep the process.
  if (options.output === "-") endBySignal(code);
  return code;
}

function refused(flags: CommandFlags, text: string, option: string): number {
  return failed(new UsageError(text, option), EXIT.usage, flags);
}

async function printPlan<Plan>(
  make: () => Promise<Plan>,
  text: (plan: Plan) => string,
  flags: CommandFlags,
): Promise<number> {
  try {
    const plan = await make();
    if (flags.has("json")) printJson(plan);
    else process.stdout.write(text(plan));
    return EXIT.done;
  } catch (error) {
    return failed(error, exitCodeOf(error, null), flags);
  }
}

/** Several inputs, or one that is not a file, or an output that is a folder. */
function isDataset(inputs: readonly string[], output: string): boolean {
  const [input = ""] = inputs;
  return (
    inputs.length > 1 ||
    /[\\/]$/.test(output) ||
    isFolder(output) ||
    isFolder(input) ||
    (/[*?[\]{}]/.test(input) && !existsSync(input))
  );
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Opening it says why.
    return false;
  }
}

async function runOverDataset(
  given: Record<string, unknown>,
  flags: CommandFlags,
): Promise<number> {
  if ("force" in given)
    return refused(
      flags,
      "--force: expected --overwrite, which replaces a dataset, found --force",
      "force",
    );
  const options = given as unknown as DatasetOptions;
  // Runs over one file do without.
  const { dryRunDataset, runDataset } = await import(
    "../dataset/run-dataset.js"
  );
  if (flags.has("dry-run"))
    return printPlan(() => dryRunDataset(options), datasetPlanText, flags);
  return carryOut(flags, (hooks) => runDataset(options, hooks), datasetText);
}

function emitHelp(): string {
  const width = Math.max(...EMIT_NAMES.map(({ length }) => length));
  return EMIT_NAMES.map(
    (name) => `  ${name.padEnd(width)}  ${EMITS[name].help}`,
  ).join("\n");
}
