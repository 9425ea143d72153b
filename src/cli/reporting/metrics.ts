import type { State } from "./state.js";

interface Metric {
  name: string;
  help: string;
  /** null: it is not known, or not yet. */
  value: (state: State) => number | null;
}

const METRICS: readonly Metric[] = [
  {
    name: "running",
    help: "Whether the command is running (1) or has ended (0).",
    value: ({ exitCode }) => (exitCode === null ? 1 : 0),
  },
  {
    name: "exit_code",
    help: "Exit code of the command, once it has ended.",
    value: ({ exitCode }) => exitCode,
  },
  {
    name: "start_time_seconds",
    help: "Start time, in seconds since 1970.",
    value: ({ started }) => Date.parse(started) / 1000,
  },
  {
    name: "update_time_seconds",
    help: "When this file was written, in seconds since 1970.",
    value: ({ updated }) => Date.parse(updated) / 1000,
  },
  {
    name: "duration_seconds",
    help: "Time since the start, in seconds.",
    value: ({ seconds }) => seconds,
  },
  {
    name: "rows",
    help: "Rows that the command has to compute.",
    value: ({ rows }) => rows,
  },
  {
    name: "rows_done",
    help: "Rows computed so far.",
    value: ({ rowsDone }) => rowsDone,
  },
  {
    name: "bad_rows",
    help: "Computed rows without a softmax.",
    value: ({ badRows }) => badRows,
  },
  {
    name: "output_bytes",
    help: "Bytes of finished output.",
    value: ({ bytes }) => bytes,
  },
  {
    name: "shards",
    help: "Shards of the dataset.",
    value: ({ shards }) => shards,
  },
  {
    name: "shards_done",
    help: "Shards of the dataset that are done, whichever process computed them.",
    value: ({ shardsDone }) => shardsDone,
  },
  {
    name: "skipped_inputs",
    help: "Bad inputs that were skipped and have no results.",
    value: ({ skippedInputs }) => skippedInputs,
  },
  {
    name: "rows_per_second",
    help: "Rows computed per second.",
    value: ({ rowsPerSecond }) => rowsPerSecond,
  },
  {
    name: "bytes_per_second",
    help: "Output bytes written per second.",
    value: ({ bytesPerSecond }) => bytesPerSecond,
  },
  {
    name: "threads",
    help: "Worker threads.",
    value: ({ threads }) => threads,
  },
  {
    name: "threads_busy",
    help: "Worker threads that are busy.",
    value: ({ threadsBusy }) => threadsBusy,
  },
  {
    name: "memory_bytes",
    help: "Resident memory in bytes.",
    value: ({ memoryBytes }) => memoryBytes,
  },
];

/** The state in Prometheus' text format, for the textfile collector of its node exporter. */
export function metricsText(state: State, output: string): string {
  const labels = `{command="${escaped(state.command)}",output="${escaped(output)}"}`;
  return METRICS.flatMap(({ name, help, value }) => {
    const found = value(state);
    if (found === null) return [];
    const full = `softjac_${name}`;
    return [
      `# HELP ${full} ${help}`,
      `# TYPE ${full} gauge`,
      `${full}${labels} ${found}`,
    ];
  })
    .map((line) => `${line}\n`)
    .join("");
}

function escaped(value: string): string {
  return value
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}
