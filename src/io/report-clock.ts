import { readFileSync } from "node:fs";

/** Time and memory that a call took. */
export interface CallCost {
  /** Duration of the call, in milliseconds. */
  durationMs: number;
  rowsPerSecond: number;
  /** Peak resident memory of the process, in bytes. */
  peakMemoryBytes: number;
}

/** Starts the clock of a call; the returned function returns the cost so far of computing a number of rows. */
export function startClock(): (rows: number) => CallCost {
  const start = performance.now();
  return (rows) => {
    const durationMs = performance.now() - start;
    const rowsPerSecond = (rows / durationMs) * 1000;
    return { durationMs, rowsPerSecond, peakMemoryBytes: peakMemoryBytes() };
  };
}

/**
 * Returns the peak resident memory of this process in bytes. On Linux it comes from /proc, because the maximum of getrusage
 * starts with that of the parent process.
 */
function peakMemoryBytes(): number {
  const kilobytes = process.platform === "linux" ? highWaterMark() : undefined;
  return 1024 * (kilobytes ?? process.resourceUsage().maxRSS);
}

function highWaterMark(): number | undefined {
  try {
    const status = readFileSync("/proc/self/status", "latin1");
    const [, found] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
    return found === undefined ? undefined : Number(found);
  } catch {
    return undefined;
  }
}
