import { existsSync, statSync } from "node:fs";
import type { DatasetHooks } from "../dataset/events.js";
import type { DatasetOptions } from "../dataset/options.js";
import { UsageError } from "../errors.js";
import { isRemote } from "../io/location.js";
import type { RunHooks } from "../options/hooks.js";
import { type Command, optionsOf } from "../options/options-table.js";
import type { RunOptions } from "../options/run-options.js";
import { EMIT_NAMES, EMITS } from "../results/catalogue.js";
import { run } from "../run/run.js";
import { type CommandSpec, kebab, type Settings } from "./command.js";
import { datasetDryRunText, datasetText } from "./dataset-text.js";
import { execute, reportError, type Task } from "./execute.js";
import { dryRunText, runText } from "./report-text.js";
import { endBySignal } from "./signals.js";

/** Options that `--help` of run, plan and submit shows. */
export const COMMON_RUN_OPTIONS = [
  ...["column", "columns", "onBadRow", "emit", "layout", "temperature"],
  ...["label", "output", "keep", "dtype", "threads", "json", "quiet"],
];

export const RUN_COMMAND: CommandSpec = {
  name: "run",
  summary:
    "Compute softmax and its Jacobian for every row of one or more files",
  description:
    "Compute softmax, its Jacobian and other results for every row of logits. A directory, a pattern or several files produce a directory of shards.",
  options: optionsOf("run", "dataset").filter(({ name }) => name !== "input"),
  common: [...COMMON_RUN_OPTIONS, "force", "dryRun"],
  examples: [
    "logits.parquet -o jacobian.arrow --keep id,label",
    "'logits/**/*.npy' -o jacobian/",
  ],
  epilogue: `Results for --emit, with p = softmax(o/T):\n${emitHelp()}`,
  async execute({ inputs, ...given }, settings, line) {
    const words = inputs as string[];
    const output = String(given.output);
    const all = { ...given, inputs, input: words[0] };
    const isDry = settings.get("dryRun") === true;
    if (isDataset(words, output)) {
      if (line.has("force"))
        throw new UsageError(
          "--force replaces one file; use --overwrite to replace a dataset",
          "force",
        );
      const options = optionsFor<DatasetOptions>("dataset", all);
      const { grace } = options;
      // Runs of one file do not need this module.
      const { dryRunDataset, runDataset } = await import(
        "../dataset/run-dataset.js"
      );
      if (isDry)
        return executeDry(settings, {
          work: ({ signal }) => dryRunDataset(options, { signal }),
          text: datasetDryRunText,
        });
      const work = (hooks: DatasetHooks) => runDataset(options, hooks);
      const text = datasetText;
      return execute({ command: "run", settings, output, work, text, grace });
    }
    const wrong = [...line].find((name) => isDatasetOption(name));
    if (wrong)
      throw new UsageError(
        `--${kebab(wrong)} needs a dataset: several inputs, or an output that ends with a slash`,
        wrong,
      );
    if (isRemote(`${words[0]}`))
      throw new UsageError(
        `inputs on S3 need a directory (with a slash at its end) or an s3:// prefix as output, found ${output}`,
        "output",
      );
    const options = optionsFor<RunOptions>("run", all);
    if (isDry) {
      const { dryRun } = await import("../run/dry-run.js");
      return executeDry(settings, {
        work: ({ signal }) => dryRun(options, { signal }),
        text: dryRunText,
      });
    }
    if (output === "-" && settings.get("json") === true) {
      const error = new UsageError(
        "--json prints the report on standard output, where the results go with -o -; use --report FILE instead",
        "json",
      );
      return reportError(error, new Map());
    }
    const work = (hooks: RunHooks) => run(options, hooks);
    const task = { command: "run", settings, output, work, text: runText };
    const code = await execute(task);
    // A pending write to a full pipe cannot be cancelled and would keep the process alive.
    if (output === "-") endBySignal(code);
    return code;
  },
};

/** Executes a dry run, which writes no file, not even the report or the metrics. */
function executeDry<Plan extends object>(
  settings: Settings,
  task: Pick<Task<Plan>, "work" | "text">,
): Promise<number> {
  const shown = new Map(settings);
  for (const name of ["report", "metrics"]) shown.delete(name);
  const dry = { command: "run", settings: shown, output: "" };
  return execute({ ...dry, ...task, textIsResult: true });
}

function isDatasetOption(option: string): boolean {
  const has = (command: Command) => hasOption(command, option);
  return option !== "inputs" && has("dataset") && !has("run");
}

function hasOption(command: Command, option: string): boolean {
  return optionsOf(command).some(({ name }) => name === option);
}

/** Returns the options of one function; the environment or a config file may contain others. */
function optionsFor<Options>(
  command: Command,
  given: Record<string, unknown>,
): Options {
  const names = optionsOf(command).map(({ name }) => name);
  const own = Object.entries(given).filter(([name]) => names.includes(name));
  return Object.fromEntries(own) as Options;
}

/** Whether there are several inputs, or the input or output is a directory, pattern or s3:// prefix. */
function isDataset(inputs: readonly string[], output: string): boolean {
  const [input = ""] = inputs;
  return (
    inputs.length > 1 ||
    isRemote(output) ||
    /[\\/]$/.test(output) ||
    isDirectory(output) ||
    isDirectory(input) ||
    (/[*?[\]{}]/.test(input) && !existsSync(input))
  );
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Opening the file reports the error.
    return false;
  }
}

function emitHelp(): string {
  const width = Math.max(...EMIT_NAMES.map(({ length }) => length));
  return EMIT_NAMES.map(
    (name) => `  ${name.padEnd(width)}  ${EMITS[name].help}`,
  ).join("\n");
}
