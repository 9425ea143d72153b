import { existsSync, statSync } from "node:fs";
import type { DatasetHooks } from "../dataset/events.js";
import type { DatasetOptions } from "../dataset/options.js";
import { UsageError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { optionsOf } from "../options-table.js";
import { EMIT_NAMES, EMITS } from "../results/catalogue.js";
import { run } from "../run.js";
import { isS3 } from "../store/location.js";
import { carryOut, refuse } from "./carry-out.js";
import type { CommandSpec, LineOptions, Settings } from "./command.js";
import { datasetPlanText, datasetText } from "./dataset-text.js";
import { kebab } from "./option-text.js";
import { endBySignal } from "./signals.js";
import { dryRunText, reportText } from "./summary.js";

/** Options that `--help` of run, plan and submit shows. */
export const COMMON_OF_RUNS = [
  ...["column", "columns", "onBadRow", "emit", "layout", "temperature"],
  ...["label", "output", "keep", "dtype", "threads", "json", "quiet"],
];

const OF_RUN = optionsOf("run").map(({ name }) => name);

/** `softjac run` */
export const RUN_COMMAND: CommandSpec = {
  name: "run",
  summary:
    "Compute softmax and its Jacobian for every row of one or more files",
  usage:
    "Compute softmax, its Jacobian and other results for every row of logits. A directory, a pattern or several files produce a directory of shards.",
  options: optionsOf("run", "dataset").filter(({ name }) => name !== "input"),
  common: [...COMMON_OF_RUNS, "force", "dryRun"],
  examples: [
    ["logits.parquet -o jacobian.arrow --keep id,label", ""],
    ["'logits/**/*.npy' -o jacobian/", ""],
  ],
  epilogue: `Results for --emit, with p = softmax(o/T):\n${emitHelp()}`,
  async execute({ inputs, ...given }, settings, line) {
    const words = inputs as string[];
    if (isDataset(words, given.output as string))
      return runOverDataset({ ...given, inputs: words }, settings, line);
    return runOverFile({ ...given, input: words[0] }, settings, line);
  },
};

async function runOverFile(
  given: Record<string, unknown>,
  settings: Settings,
  line: LineOptions,
): Promise<number> {
  const ofDataset = optionsOf("dataset")
    .map(({ name }) => name)
    .filter((name) => !OF_RUN.includes(name) && name !== "inputs");
  const wrong = ofDataset.find((name) => line.has(name));
  if (wrong)
    throw new UsageError(
      `--${kebab(wrong)} needs a dataset: several inputs, or an output that ends with a slash`,
      wrong,
    );
  if (isS3(given.input as string))
    throw new UsageError(
      `inputs on S3 need a directory (with a slash at its end) or an s3:// prefix as output, found ${given.output}`,
      "output",
    );
  const options = without(given, ofDataset) as unknown as RunOptions;
  if (settings.get("dryRun") === true) {
    const { dryRun } = await import("../dry-run.js");
    return printPlan((hooks) => dryRun(options, hooks), dryRunText, settings);
  }
  if (options.output === "-" && settings.get("json") === true)
    return refuse(
      new UsageError(
        "--json prints the report on standard output, where the results go with -o -; use --report FILE instead",
        "json",
      ),
      new Map(),
    );
  const code = await carryOut({
    command: "run",
    settings,
    output: options.output,
    make: (hooks) => run(options, hooks),
    text: reportText,
  });
  // A write to a pipe that nobody reads cannot be taken back, and would keep the process.
  if (options.output === "-") endBySignal(code);
  return code;
}

/** What the environment or a file says for other runs. */
function without(
  given: Record<string, unknown>,
  names: readonly string[],
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(given).filter(([name]) => !names.includes(name)),
  );
}

/** Prints what a run would do; writes no file, not even those that tell how a run goes. */
function printPlan<Plan extends object>(
  make: (hooks: Pick<DatasetHooks, "signal">) => Promise<Plan>,
  text: (plan: Plan) => string,
  settings: Settings,
): Promise<number> {
  const shown = [...settings].filter(
    ([name]) => !["report", "metrics"].includes(name),
  );
  return carryOut({
    command: "run",
    settings: new Map(shown),
    output: "",
    make: ({ signal }) => make({ signal }),
    text,
    textIsResult: true,
  });
}

/** Several inputs, or one that is not a file, or an output that is a folder. */
function isDataset(inputs: readonly string[], output: string): boolean {
  const [input = ""] = inputs;
  return (
    inputs.length > 1 ||
    isS3(output) ||
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
  settings: Settings,
  line: LineOptions,
): Promise<number> {
  if (line.has("force"))
    throw new UsageError(
      "--force replaces one file; use --overwrite to replace a dataset",
      "force",
    );
  const options = without(given, ["force"]) as unknown as DatasetOptions;
  // Runs over one file do without.
  const { dryRunDataset, runDataset } = await import(
    "../dataset/run-dataset.js"
  );
  if (settings.get("dryRun") === true)
    return printPlan(
      (hooks) => dryRunDataset(options, hooks),
      datasetPlanText,
      settings,
    );
  return carryOut({
    command: "run",
    settings,
    output: options.output,
    make: (hooks) => runDataset(options, hooks),
    text: datasetText,
    grace: options.grace,
  });
}

function emitHelp(): string {
  const width = Math.max(...EMIT_NAMES.map(({ length }) => length));
  return EMIT_NAMES.map(
    (name) => `  ${name.padEnd(width)}  ${EMITS[name].help}`,
  ).join("\n");
}
