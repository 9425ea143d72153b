import { readFileSync } from "node:fs";

/**
 * Peak resident memory of this process, in bytes. On Linux from /proc: the maximum of getrusage starts with that of the
 * process that started this one.
 */
export function peakMemoryBytes(): number {
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
