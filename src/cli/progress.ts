import { printableLines } from "../printable.js";
import { progressText } from "./progress-text.js";
import type { State } from "./reporting/state.js";
import { log } from "./streams.js";

export interface Progress {
  /** @param state as it is when asked for */
  update(state: () => State): void;
  /** A line of its own. */
  line(text: string): void;
  stop(): void;
}

/** A bar on a terminal; on standard error, as all that is not the result. */
export async function openProgress(quiet: boolean): Promise<Progress> {
  const { terminal } = log;
  if (!quiet && terminal) return bar(terminal);
  return {
    update() {},
    line: log.write,
    stop() {},
  };
}

async function bar(stream: NodeJS.WriteStream): Promise<Progress> {
  const { SingleBar } = (await import("cli-progress")).default;
  const view = new SingleBar({
    stream,
    format: (_, __, { state }) =>
      // One column is left: a full last line makes some terminals begin another.
      progressText(state as State, (stream.columns || 80) - 1),
    clearOnComplete: true,
    hideCursor: true,
    // Signals are the run's: its own handler would stop the bar while chunks are still in flight.
    gracefulExit: false,
  });
  let started = false;
  return {
    update(state) {
      const now = state();
      if (started) view.update(now.rowsDone, { state: now });
      else view.start(now.rows, now.rowsDone, { state: now });
      started = true;
    },
    line(text) {
      // The bar is drawn again below it.
      stream.write(`\r\x1b[K${printableLines(text)}`);
    },
    stop() {
      if (started) view.stop();
      started = false;
    },
  };
}
