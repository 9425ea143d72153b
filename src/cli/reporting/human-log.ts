import type { DatasetEvent } from "../../dataset/events.js";
import { printable, shortName } from "../../printable.js";
import { bytes, count, duration } from "../format.js";
import { openProgress } from "../progress.js";
import { log } from "../streams.js";
import type { State } from "./state.js";
import type { Teller } from "./teller.js";

/** Lines and, on a terminal, a bar. */
export async function openHumanLog({
  quiet,
  isJson,
}: {
  quiet: boolean;
  isJson: boolean;
}): Promise<Teller> {
  const progress = await openProgress(quiet);
  const line = (text: string) => progress.line(`softjac: ${printable(text)}\n`);
  return {
    progress: progress.update,
    event(event) {
      if (event.event === "logits" && !quiet && !isJson)
        line(logitsText(event));
      else if (event.event === "input skipped")
        line(`input skipped: ${event.error}`);
      else if (event.event === "shard retried")
        line(`${event.file}: ${event.error}; computing it again`);
      else if (event.event === "shard failed")
        line(
          `${event.file}: ${event.error}${event.willRetry ? "; it will be retried" : ""}`,
        );
      else if (event.event === "shard released" && !quiet)
        line(`${event.file}: released (${event.reason})`);
      else if (event.event === "warning" && !quiet) line(event.message);
      else if (event.event === "submitted" && event.submission > 0 && !quiet)
        line(`submitted again: ${count(event.shards)} shards`);
      else if (event.event === "stopping" && !quiet)
        line(stoppingText(event.reason, event.graceSeconds));
    },
    heartbeat(state) {
      if (!quiet && !log.terminal) log.write(`${heartbeatText(state)}\n`);
    },
    done(_, text) {
      progress.stop();
      log.write(text);
    },
    failed({ message }) {
      progress.stop();
      log.write(`softjac: ${printable(message)}\n`);
    },
    warn: (text) => !quiet && line(text),
    stop: progress.stop,
  };
}

function logitsText({
  column,
  classes,
  type,
  firstClass,
  lastClass,
}: Extract<DatasetEvent, { event: "logits" }>): string {
  const names =
    firstClass === null || lastClass === null
      ? ""
      : `: ${shortName(firstClass)} to ${shortName(lastClass)}`;
  return `reading logits from ${column === null ? "the array" : shortName(column)} (${type}, ${count(classes)} ${classes === 1 ? "class" : "classes"}${names})`;
}

function stoppingText(reason: string, grace: number): string {
  const end = grace > 0 ? `has ${grace} s to finish` : "is abandoned";
  return `${reason === "signal" ? "stopping" : `stopping for the ${reason}`}: the current shard ${end}${reason === "signal" ? " (a second signal stops at once)" : ""}`;
}

function heartbeatText(state: State): string {
  const { rows, rowsDone, shards, shardsDone, rowsPerSecond } = state;
  const shardsText =
    shards === null
      ? ""
      : `${count(shardsDone ?? 0)} of ${count(shards)} shards, `;
  const left =
    state.secondsLeft === null
      ? ""
      : `, ${duration(state.secondsLeft * 1000)} left`;
  return `${shardsText}${count(rowsDone)} of ${count(rows)} rows, ${count(rowsPerSecond)} rows/s${left}, ${bytes(state.memoryBytes)} of memory`;
}
