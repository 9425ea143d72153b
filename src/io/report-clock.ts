import { readFileSync } from "node:fs";
import { SoftjacError } from "../errors.js";
import { VERSION } from "../version.js";

/** Time and memory that a call took. */
export interface CallCost {
  /** Duration of the call, in milliseconds. */
  durationMs: number;
  rowsPerSecond: number;
  /** Peak resident memory of the process, in bytes. */
  peakMemoryBytes: number;
}

/** Fields that the reports of calls have in common. */
export interface CallReport extends CallCost {
  /** Version of softjac. */
  softjac: string;
  status: "done" | "failed";
}

/**
 * Does the work of a call, which sets the fields of its report, and returns the report. An error of `work` has the report up
 * to it.
 * @param fields of the report before the work
 * @param rowsOf returns the number of computed rows
 */
export async function withCallReport<Report extends CallReport>(
  fields: Omit<Report, keyof CallReport>,
  rowsOf: (report: Report) => number,
  work: (report: Report) => Promise<void>,
): Promise<Report> {
  const cost = startClock();
  const report = { softjac: VERSION, status: "failed", ...fields } as Report;
  try {
    await work(report);
    report.status = "done";
    return report;
  } catch (error) {
    if (error instanceof SoftjacError) error.report = report;
    throw error;
  } finally {
    Object.assign(report, cost(rowsOf(report)));
  }
}

/** Starts a clock. The returned function returns the cost so far of computing `rows` rows. */
export function startClock(): (rows: number) => CallCost {
  const start = performance.now();
  return (rows) => {
    const durationMs = performance.now() - start;
    const rowsPerSecond = (rows / durationMs) * 1000;
    return { durationMs, rowsPerSecond, peakMemoryBytes: peakMemoryBytes() };
  };
}

/**
 * Returns the peak resident memory of this process in bytes. On Linux it comes from /proc, because getrusage inherits the
 * maximum of the parent process.
 */
function peakMemoryBytes(): number {
  const kilobytes = process.platform === "linux" ? highWaterMark() : undefined;
  return 1024 * (kilobytes ?? process.resourceUsage().maxRSS);
}

function highWaterMark(): number | undefined {
  try {
    const status = readFileSync("/proc/self/status", "latin1");
    const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
    return kilobytes === undefined ? undefined : Number(kilobytes);
  } catch {
    return undefined;
  }
}
