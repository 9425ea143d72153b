import { readFileSync } from "node:fs";

/**
 * Returns the peak memory of this process in bytes. Reads /proc on Linux, where the resource usage includes the peak of the
 * parent process.
 */
export function peakBytes() {
  const [, kilobytes] =
    process.platform === "linux"
      ? (/^VmHWM:\s+(\d+) kB$/m.exec(
          readFileSync("/proc/self/status", "latin1"),
        ) ?? [])
      : [];
  return 1024 * Number(kilobytes ?? process.resourceUsage().maxRSS);
}
