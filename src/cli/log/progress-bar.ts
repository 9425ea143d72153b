import { printableLines } from "../../printable.js";
import { bytes, count } from "../format.js";
import type { Status } from "./status.js";

const SEPARATOR = "  ";
const MIN_BAR = 10;
const MAX_BAR = 40;

export interface ProgressBar {
  update(status: Status): void;
  /** Writes a line above the bar. */
  line(text: string): void;
  stop(): void;
}

export async function openProgressBar(
  terminal: NodeJS.WriteStream,
): Promise<ProgressBar> {
  const { SingleBar } = (await import("cli-progress")).default;
  const bar = new SingleBar({
    stream: terminal,
    // One column stays free, because some terminals wrap a full line.
    format: (_, __, { status }) =>
      progressText(status as Status, (terminal.columns || 80) - 1),
    clearOnComplete: true,
    hideCursor: true,
    // With it, cli-progress would stop the bar on a signal, while chunks are still being computed.
    gracefulExit: false,
  });
  let started = false;
  return {
    update(status) {
      if (started) bar.update(status.rowsDone, { status });
      else bar.start(status.rows, status.rowsDone, { status });
      started = true;
    },
    line: (text) => terminal.write(`\r\x1b[K${printableLines(text)}`),
    stop() {
      if (started) bar.stop();
      started = false;
    },
  };
}

/** Formats the bar and as many figures as fit into `columns`, the most important first. */
export function progressText(status: Status, columns: number): string {
  const { rows, rowsDone } = status;
  const done = rows > 0 ? Math.min(1, rowsDone / rows) : 0;
  let text = `${Math.floor(100 * done)}%`.padStart(4);
  for (const figure of figures(status)) {
    const longer = text + SEPARATOR + figure;
    if (MIN_BAR + 1 + longer.length > columns) break;
    text = longer;
  }
  const width = Math.min(MAX_BAR, columns - 1 - text.length);
  const filled = Math.round(done * Math.max(0, width));
  const bar = "\u2588".repeat(filled).padEnd(width, "\u2591");
  return width < 1 ? text.slice(0, columns) : `${bar} ${text}`;
}

function figures(status: Status): string[] {
  const { secondsLeft, shards, bytesPerSecond, threads } = status;
  const found = [`${short(status.rowsDone)} of ${short(status.rows)} rows`];
  if (secondsLeft !== null) found.push(`${clock(secondsLeft)} left`);
  if (shards !== null)
    found.push(`${count(status.shardsDone ?? 0)} of ${count(shards)} shards`);
  found.push(`${short(status.rowsPerSecond)} rows/s`);
  if (bytesPerSecond > 0) found.push(`${bytes(Math.round(bytesPerSecond))}/s`);
  if (threads !== null)
    found.push(`${status.threadsBusy} of ${threads} threads busy`);
  return found;
}

/** Formats 1234567 as "1.23 M", with three digits. */
export function short(value: number): string {
  const units = ["", " k", " M", " G", " T"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const digits = scaled >= 99.5 || unit === 0 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)}${units[unit]}`;
}

/** Formats seconds as "0:07", "3:20" or "2:03:20". */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const [h, m, s] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
