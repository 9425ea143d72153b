import { readdirSync, readlinkSync } from "node:fs";

/** Resolves once a process has an unnamed file open, which is a copy of its input (Linux only). */
export async function untilItReads(pid: number): Promise<void> {
  const folder = `/proc/${pid}/fd`;
  const names = () => {
    try {
      return readdirSync(folder).map((fd) => readlinkSync(`${folder}/${fd}`));
    } catch {
      // A descriptor was closed during the scan.
      return [];
    }
  };
  while (!names().some((name) => name.endsWith("(deleted)")))
    await new Promise((resolve) => setTimeout(resolve, 5));
}
