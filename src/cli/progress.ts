import { count } from "./format.js";

export interface Progress {
  update(rowsDone: number, rows: number): void;
  stop(): void;
}

const LINE_EVERY_MS = 5000;

/** A bar on a terminal, else a plain line every few seconds; on standard error, as all that is not the result. */
export async function openProgress(
  stream: NodeJS.WriteStream,
  quiet: boolean,
): Promise<Progress> {
  if (quiet) return { update: () => {}, stop: () => {} };
  return stream.isTTY ? bar(stream) : lines(stream);
}

async function bar(stream: NodeJS.WriteStream): Promise<Progress> {
  const { SingleBar, Presets } = (await import("cli-progress")).default;
  const view = new SingleBar(
    {
      stream,
      format:
        "{bar} {percentage}% | {value}/{total} rows | {rate} rows/s | {eta_formatted} left",
      clearOnComplete: true,
      hideCursor: true,
      // Signals are the run's: its own handler would stop the bar while chunks are still in flight.
      gracefulExit: false,
      formatValue: (value, _, type) =>
        type === "value" || type === "total" ? count(value) : String(value),
    },
    Presets.shades_classic,
  );
  const start = performance.now();
  let started = false;
  return {
    update(rowsDone, rows) {
      const seconds = (performance.now() - start) / 1000;
      const payload = { rate: count(rowsDone / seconds) };
      if (started) view.update(rowsDone, payload);
      else view.start(rows, rowsDone, payload);
      started = true;
    },
    stop() {
      if (started) view.stop();
    },
  };
}

function lines(stream: NodeJS.WriteStream): Progress {
  const start = performance.now();
  let last = start;
  return {
    update(rowsDone, rows) {
      const now = performance.now();
      if (now - last < LINE_EVERY_MS) return;
      last = now;
      const rate = rowsDone / ((now - start) / 1000);
      stream.write(
        `${count(rowsDone)} of ${count(rows)} rows, ${count(rate)} rows/s\n`,
      );
    },
    stop() {},
  };
}
