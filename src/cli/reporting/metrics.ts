import type { Status } from "./status.js";

/** Metrics and their help, in the order of the file; `rowsDone` is named softjac_rows_done. */
const METRICS: Record<Exclude<keyof Status, "secondsLeft">, string> = {
  running: "Whether the command is running (1) or has ended (0).",
  exitCode: "Exit code of the command, once it has ended.",
  startTimeSeconds: "Start time, in seconds since 1970.",
  updateTimeSeconds: "When this file was written, in seconds since 1970.",
  durationSeconds: "Time since the start, in seconds.",
  rows: "Rows that the command has to compute.",
  rowsDone: "Rows computed so far.",
  badRows: "Computed rows without a softmax.",
  outputBytes: "Bytes of finished output.",
  shards: "Shards of the dataset.",
  shardsDone:
    "Shards of the dataset that are done, whichever process computed them.",
  skippedInputs: "Bad inputs that were skipped and have no results.",
  rowsPerSecond: "Rows computed per second.",
  bytesPerSecond: "Output bytes written per second.",
  threads: "Worker threads.",
  threadsBusy: "Worker threads that are busy.",
  memoryBytes: "Resident memory in bytes.",
};

/** Returns a status in the text format of Prometheus, for the textfile collector of its node exporter. */
export function metricsText(
  status: Status,
  command: string,
  output: string,
): string {
  const labels = `{command="${escaped(command)}",output="${escaped(output)}"}`;
  return Object.entries(METRICS)
    .map(([field, help]) => {
      const value = status[field as keyof Status];
      const name = `softjac_${field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
      return value === null
        ? ""
        : `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name}${labels} ${value}\n`;
    })
    .join("");
}

function escaped(value: string): string {
  return value
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}
