import { count } from "./format.js";

export interface Progress {
  update(rowsDone: number, rows: number): void;
  /** A line of its own. */
  line(text: string): void;
  stop(): void;
}

/** A bar on a terminal; on standard error, as all that is not the result. */
export async function openProgress(
  stream: NodeJS.WriteStream,
  quiet: boolean,
): Promise<Progress> {
  if (!quiet && stream.isTTY) return bar(stream);
  return {
    update() {},
    line: (text) => stream.write(text),
    stop() {},
  };
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
    line(text) {
      // The bar is drawn again below it.
      stream.write(`\r\x1b[K${text}`);
    },
    stop() {
      if (started) view.stop();
      started = false;
    },
  };
}
