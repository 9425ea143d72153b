import { count } from "../../number-text.js";
import type { SparsityNumbers } from "../output-report.js";
import { powerOfTen } from "./figures.js";

/** Which rows a picture of thresholds is from. */
export function fromRows({ rows, isSample }: SparsityNumbers): string {
  return isSample
    ? `a random sample of ${count(rows)} rows`
    : `all ${count(rows)} rows with p`;
}

/** The axis of thresholds. */
export const TAU = {
  type: "log",
  label: "threshold τ →",
  tickFormat: (value: number) => powerOfTen(Math.round(Math.log10(value))),
  ticks: 9,
  grid: true,
} as const;
