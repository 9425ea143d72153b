import { bytes, count, duration } from "../format.js";
import { openProgress } from "../progress.js";
import type { State } from "./state.js";
import type { Teller } from "./teller.js";

/** Lines and, on a terminal, a bar. */
export async function openHumanLog(
  stream: NodeJS.WriteStream,
  quiet: boolean,
): Promise<Teller> {
  const progress = await openProgress(stream, quiet);
  const line = (text: string) => progress.line(`softjac: ${text}\n`);
  return {
    progress: progress.update,
    event(event) {
      if (event.event === "input left out") line(`left out: ${event.error}`);
      else if (event.event === "part retried")
        line(`${event.part}: ${event.error}; it is made once more`);
      else if (event.event === "stopping" && !quiet)
        line(stoppingText(event.reason, event.graceSeconds));
    },
    heartbeat(state) {
      if (!quiet && !stream.isTTY) stream.write(`${heartbeatText(state)}\n`);
    },
    done(_, text) {
      progress.stop();
      stream.write(text);
    },
    failed({ message, stack }) {
      progress.stop();
      stream.write(`softjac: ${stack ?? message}\n`);
    },
    warn: (text) => !quiet && line(text),
    stop: progress.stop,
  };
}

function stoppingText(reason: string, grace: number): string {
  return `${reason === "signal" ? "stopping" : `stopping for the ${reason}`}: the part under way ends, or is given up, within ${grace} s${reason === "signal" ? " (a second signal: at once)" : ""}`;
}

function heartbeatText(state: State): string {
  const { rows, rowsDone, shards, shardsDone, rowsPerSecond } = state;
  const parts =
    shards === null
      ? ""
      : `${count(shardsDone ?? 0)} of ${count(shards)} parts, `;
  const left =
    state.secondsLeft === null
      ? ""
      : `, ${duration(state.secondsLeft * 1000)} left`;
  return `${parts}${count(rowsDone)} of ${count(rows)} rows, ${count(rowsPerSecond)} rows/s${left}, ${bytes(state.memoryBytes)} of memory`;
}
