import { readFileSync } from "node:fs";

/** Time and memory that a call took. */
export interface CallCost {
  /** Duration of the call, in milliseconds. */
  durationMs: number;
  rowsPerSecond: number;
  /** Peak resident memory of the process, in bytes. */
  peakMemoryBytes: number;
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
