import { EXIT, UsageError } from "../errors.js";
import { OWN_REDUCTIONS } from "../results/reductions.js";
import { arrayTask } from "./array-task.js";
import type { CommandSpec, LineOptionNames } from "./command.js";
import {
  datasetText,
  gcText,
  statusText,
  submitText,
  waitText,
  workerText,
} from "./dataset-text.js";
import { effectsReportText } from "./effects-text.js";
import { defineCommand } from "./execute.js";
import {
  calibrateText,
  generateText,
  inspectText,
  outputReportText,
  reduceText,
  verifyText,
} from "./report-text.js";
import { COMMON_RUN_OPTIONS, RUN_COMMAND } from "./run-command.js";
import { classesThatFit, leftWidth, showText } from "./show-text.js";
import { resultColumns } from "./streams.js";

function reductionHelp(): string {
  const rows = Object.entries(OWN_REDUCTIONS);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows
    .map(([name, { help }]) => `  ${name.padEnd(width)}  ${help}`)
    .join("\n");
}

const SECRETS =
  "Set the password of the Redis server in SOFTJAC_QUEUE_PASSWORD, or in the URL in SOFTJAC_QUEUE. The command line takes no password, because other users of the machine can read it.";

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  RUN_COMMAND,
  defineCommand({
    name: "reduce",
    summary: "Sum results over rows: means, Fisher information, by group",
    description:
      "Sum results of softmax over the rows of files, by group: means of p, J and other results, log-likelihood, score, Fisher information, KFAC factors. Writes one row per group.",
    common: [
      ...["emit", "by", "weight", "features", "intercept", "coefficients"],
      ...["label", "column", "columns", "output", "force", "json", "quiet"],
    ],
    examples: [
      "logits.arrow -o mean.arrow --by region",
      "data.parquet -o fisher.arrow --features 'x_*' --intercept --coefficients B.npy --label y --emit loglik,score,fisher",
    ],
    epilogue: `Results for --emit beyond the means of results of run:\n${reductionHelp()}`,
    load: async () => (await import("../reduce/reduce.js")).reduce,
    text: reduceText,
  }),
  defineCommand({
    name: "effects",
    summary: "Average marginal effects of features, with standard errors",
    description:
      "Average the effects of features on the probabilities of a multinomial logit model over rows, with delta-method standard errors.",
    common: [
      ...["features", "intercept", "coefficients", "base", "covarianceFile"],
      ...["label", "of", "contrast", "by", "weight", "output", "json"],
    ],
    examples: [
      "data.parquet --features age,educ --intercept --coefficients B.npy --label y",
    ],
    load: async () => (await import("../effects/effects.js")).effects,
    text: effectsReportText,
    textIsResult: ({ output }) => output === null,
    logged: ({ effects, ...report }) => ({
      ...report,
      effects: effects.length,
    }),
  }),
  defineCommand({
    name: "merge",
    summary: "Merge partial sums of reduce or effects",
    description:
      "Merge the files that reduce or effects wrote with --partial. The result is that of one command over all their inputs.",
    common: ["output", "partial", "force", "json", "quiet"],
    examples: ["a.partial.arrow b.partial.arrow -o all.arrow"],
    load: async () => (await import("../effects/merge.js")).mergePartials,
    text: (report) =>
      "emit" in report ? reduceText(report) : effectsReportText(report),
    textIsResult: ({ output }) => output === null,
  }),
  defineCommand({
    name: "calibrate",
    summary: "Fit a temperature to labels, with its standard error",
    description:
      "Fit the temperature T of softmax(o/T) to labels by maximum likelihood, and print T, its standard error, and NLL, ECE and Brier score before and after.",
    common: [
      ...["label", "column", "columns", "weight", "output", "force", "json"],
    ],
    examples: ["validation.arrow --label y -o T.json"],
    load: async () => (await import("../calibrate/calibrate.js")).calibrate,
    text: calibrateText,
    textIsResult: ({ output }) => output === null,
  }),
  defineCommand({
    name: "show",
    summary: "Show one row of an output: p as bars, the block as shades",
    description:
      "Show one row of an output: its copied columns, p as bars and the block as shades, with numbers where they fit.",
    common: ["row", "position", "input", "classes", "json"],
    examples: [
      "jacobian.arrow --row 17",
      ["jacobian/ --row 17 --input train.arrow", "A row of a dataset"],
    ],
    load: async () => (await import("../show/show.js")).show,
    complete(options, { settings }) {
      if (settings.get("json") === true) return options;
      const fitting = classesThatFit(screen().columns, leftWidth(4, true));
      return { classes: fitting, ...options };
    },
    text: (row) => showText(row, screen()),
    textIsResult: true,
  }),
  defineCommand({
    name: "verify",
    summary: "Check an output against an independent computation",
    description:
      "Recompute rows of an output with 31 digits, independently of the kernels that computed it, and compare.",
    common: [
      ...["input", "column", "columns", "label", "threads", "sample", "all"],
      ...["seed", "json", "quiet"],
    ],
    examples: [
      "jacobian.arrow --input logits.arrow",
      ["jacobian.arrow --input logits.arrow --all", "Every row and byte"],
    ],
    load: async () => (await import("../verify/verify.js")).verify,
    text: verifyText,
    exitCode: ({ ok }) => (ok ? EXIT.done : EXIT.badInput),
  }),
  defineCommand({
    name: "inspect",
    summary: "Describe a file and print the output size of each layout",
    description:
      "Describe a file, the logits that a run would use, and the output size of each layout.",
    common: ["column", "columns", "dtype", "scan", "json"],
    examples: ["logits.arrow", "logits.arrow --scan --json"],
    load: async () => (await import("../inspect/inspect.js")).inspect,
    text: inspectText,
    textIsResult: true,
  }),
  defineCommand({
    name: "report",
    summary: "Write an HTML page about an output",
    description:
      "Write an HTML page about an output file or dataset: confidence, calibration, classes and rows. The page is one file and needs no network.",
    common: ["label", "classes", "output", "force", "json", "quiet"],
    examples: [
      "jacobian.arrow -o report.html",
      "jacobian.arrow -o report.html --label label",
    ],
    load: async () => (await import("../report/report.js")).report,
    text: outputReportText,
    // Rows and bins are on the page and in --json.
    logged: ({ status, output, outputBytes, summary, durationMs }) => ({
      ...{ status, output, outputBytes, summary, durationMs },
    }),
  }),
  defineCommand({
    name: "generate",
    summary: "Write a file of random logits and labels",
    description:
      "Write an Arrow file of random logits with the columns id, logits and label. Each label is drawn from the softmax of its row.",
    common: [
      ...["rows", "classes", "kind", "scale", "seed", "dtype", "force"],
      ...["json", "quiet"],
    ],
    examples: [
      "logits.arrow --rows 1000000 --classes 10",
      "logits.arrow --rows 100 --classes 5 --kind notebook --seed 7",
    ],
    load: async () => (await import("../generate/generate.js")).generate,
    text: generateText,
  }),
  defineCommand({
    name: "plan",
    summary: "Plan a dataset for the tasks of a scheduler",
    description:
      "Plan a dataset without computing it. Tasks then compute its shards with softjac run-shard, and softjac finalize publishes it.",
    common: COMMON_RUN_OPTIONS,
    examples: ["'logits/**/*.arrow' -o jacobian/ --layout packed"],
    load: async () => (await import("../dataset/run-dataset.js")).planDataset,
    text: datasetText,
  }),
  defineCommand({
    name: "run-shard",
    summary: "Compute one array task's share of a planned dataset",
    description:
      "Compute shards of a planned dataset: those of the current array task of a scheduler, or all of them.",
    common: ["output", "shardIndex", "shardCount", "threads", "json", "quiet"],
    examples: [
      ["-o jacobian/", "Task from the scheduler"],
      "-o jacobian/ --shard-index 3 --shard-count 16",
    ],
    epilogue:
      "Supported schedulers: Slurm, Kubernetes Indexed Jobs, PBS and LSF (with --shard-count), AWS Batch, Cloud Run, Google Batch, Grid Engine.",
    load: async () => (await import("../dataset/tasks.js")).runShards,
    complete(options) {
      const { shardIndex, shardCount } = options;
      const task =
        shardIndex === undefined ? arrayTask(process.env, shardCount) : null;
      const share = task && { shardIndex: task.index, shardCount: task.count };
      return { ...options, ...share };
    },
    text: datasetText,
  }),
  defineCommand({
    name: "finalize",
    summary: "Publish a dataset once all its shards are computed",
    description: "Publish a planned dataset once all its shards are computed.",
    common: ["overwrite", "json", "quiet"],
    examples: ["jacobian/"],
    load: async () => (await import("../dataset/tasks.js")).finalizeDataset,
    text: datasetText,
  }),
  defineCommand({
    name: "status",
    summary: "Show which shards of a dataset are done, missing or damaged",
    description:
      "Show which shards of a planned or published dataset are done, missing or damaged.",
    common: ["json"],
    examples: ["jacobian/"],
    load: async () => (await import("../dataset/tasks.js")).datasetStatus,
    text: statusText,
    exitCode: ({ status, problems }) =>
      problems.length > 0 && status === "published" ? EXIT.badInput : EXIT.done,
    textIsResult: true,
  }),
  defineCommand({
    name: "gc",
    summary: "Remove stale, unfinished runs of a dataset",
    description:
      "Remove the directories of unfinished runs beside a dataset that have not changed for a while.",
    common: ["olderThan", "dryRun", "json"],
    examples: ["jacobian/ --dry-run", "jacobian/ --older-than 24"],
    load: async () =>
      (await import("../dataset/stale-runs.js")).removeStaleRuns,
    text: gcText,
    textIsResult: true,
  }),
  defineCommand({
    name: "submit",
    summary: "Plan a dataset and submit its shards to a queue",
    description:
      "Plan a dataset and submit its shards to a queue on a Redis server. Workers on any machine compute them, and softjac wait publishes the dataset.",
    common: [...COMMON_RUN_OPTIONS, "queue"],
    examples: ["'logits/**/*.arrow' -o jacobian/ --queue redis://localhost"],
    epilogue: SECRETS,
    load: async () => (await import("../queue/submit.js")).submitDataset,
    complete: withoutPassword,
    text: submitText,
  }),
  defineCommand({
    name: "worker",
    summary: "Run a worker that takes shards from a queue",
    description:
      "Compute shards of datasets from a queue on a Redis server until stopped. Any number of machines that can reach the datasets can run workers.",
    common: ["queue", "allow", "idleLimit", "threads", "json", "quiet"],
    examples: [
      "--queue redis://localhost --allow /data",
      "--queue redis://localhost --idle-limit 60",
    ],
    epilogue: SECRETS,
    load: async () => (await import("../queue/worker.js")).runWorker,
    complete: withoutPassword,
    text: workerText,
    // A thread that never finishes its shard would keep the process alive.
    endsWithin: 10,
  }),
  defineCommand({
    name: "wait",
    summary: "Wait for the workers of a queue, then publish the dataset",
    description:
      "Wait until workers have computed all shards of a dataset, then publish it. With --queue, shards that the queue lost are submitted again.",
    common: ["queue", "overwrite", "json", "quiet"],
    examples: ["jacobian/ --queue redis://localhost"],
    epilogue: SECRETS,
    load: async () => (await import("../queue/wait.js")).waitForDataset,
    complete: withoutPassword,
    text: waitText,
  }),
];

/** Rejects a password on the command line, which other users of the machine can read. */
function withoutPassword<Options extends { queue?: string | undefined }>(
  options: Options,
  { line }: { line: LineOptionNames },
): Options {
  const url = String(options.queue);
  if (line.has("queue") && URL.canParse(url) && new URL(url).password !== "")
    throw new UsageError(
      "--queue contains a password, which other users of this machine can read; set SOFTJAC_QUEUE_PASSWORD, or the whole URL in SOFTJAC_QUEUE, instead",
      "queue",
    );
  return options;
}

/** Returns the width of standard output and whether it shows colors. */
function screen(): { columns: number; color: boolean } {
  const terminal = resultColumns();
  const { NO_COLOR, FORCE_COLOR, COLUMNS } = process.env;
  const isTerminal = terminal !== undefined;
  return {
    columns: terminal ?? (Number(COLUMNS) || 80),
    color: (isTerminal || Boolean(FORCE_COLOR)) && !NO_COLOR,
  };
}
