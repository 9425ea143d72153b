import { readFileSync } from "node:fs";

/**
 * Peak memory of this process. Of the system's resource usage, the peak starts with that of the process that started this
 * one, so that on Linux /proc is asked.
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
