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
    help: "When the command started, in seconds since 1970.",
    value: ({ started }) => Date.parse(started) / 1000,
  },
  {
    name: "update_time_seconds",
    help: "When this was written, in seconds since 1970.",
    value: ({ updated }) => Date.parse(updated) / 1000,
  },
  {
    name: "duration_seconds",
    help: "Time since the start.",
    value: ({ seconds }) => seconds,
  },
  {
    name: "rows",
    help: "Rows that the command has to do.",
    value: ({ rows }) => rows,
  },
  {
    name: "rows_done",
    help: "Rows that it has done.",
    value: ({ rowsDone }) => rowsDone,
  },
  {
    name: "bad_rows",
    help: "Rows without a softmax among them.",
    value: ({ badRows }) => badRows,
  },
  {
    name: "output_bytes",
    help: "Bytes of finished output.",
    value: ({ bytes }) => bytes,
  },
  {
    name: "parts",
    help: "Parts of the dataset.",
    value: ({ shards }) => shards,
  },
  {
    name: "parts_done",
    help: "Parts of the dataset that are done, by whichever process.",
    value: ({ shardsDone }) => shardsDone,
  },
  {
    name: "inputs_left_out",
    help: "Inputs that have no results.",
    value: ({ leftOut }) => leftOut,
  },
  {
    name: "rows_per_second",
    help: "Rows done per second.",
    value: ({ rowsPerSecond }) => rowsPerSecond,
  },
  {
    name: "bytes_per_second",
    help: "Bytes of output per second.",
    value: ({ bytesPerSecond }) => bytesPerSecond,
  },
  {
    name: "threads",
    help: "Worker threads.",
    value: ({ threads }) => threads,
  },
  {
    name: "threads_busy",
    help: "Worker threads that are at work.",
    value: ({ threadsBusy }) => threadsBusy,
  },
  {
    name: "memory_bytes",
    help: "Resident memory.",
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
