import { bytes, clock, count, short } from "./format.js";
import type { State } from "./reporting/state.js";

const SEPARATOR = "  ";
const LEAST_BAR = 10;
const MOST_BAR = 40;

/**
 * How far a command is, on one line of at most `columns`: a bar and as many figures as there is room for, the most wanted
 * first.
 */
export function progressText(state: State, columns: number): string {
  const done = state.rows > 0 ? Math.min(1, state.rowsDone / state.rows) : 0;
  const percent = `${Math.floor(100 * done)}%`.padStart(4);
  let text = percent;
  for (const figure of figures(state)) {
    const longer = text + SEPARATOR + figure;
    if (LEAST_BAR + 1 + longer.length > columns) break;
    text = longer;
  }
  const width = Math.min(MOST_BAR, columns - 1 - text.length);
  const filled = Math.round(done * Math.max(0, width));
  const bar = "\u2588".repeat(filled).padEnd(width, "\u2591");
  return width < 1 ? text.slice(0, columns) : `${bar} ${text}`;
}

function figures({
  rows,
  rowsDone,
  shards,
  shardsDone,
  rowsPerSecond,
  bytesPerSecond,
  threads,
  threadsBusy,
  secondsLeft,
}: State): string[] {
  const found = [`${short(rowsDone)} of ${short(rows)} rows`];
  if (secondsLeft !== null) found.push(`${clock(secondsLeft)} left`);
  if (shards !== null)
    found.push(`${count(shardsDone ?? 0)} of ${count(shards)} shards`);
  found.push(`${short(rowsPerSecond)} rows/s`);
  if (bytesPerSecond > 0) found.push(`${bytes(Math.round(bytesPerSecond))}/s`);
  if (threads !== null) found.push(`${threadsBusy} of ${threads} threads busy`);
  return found;
}
