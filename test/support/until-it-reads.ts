import { readdirSync, readlinkSync } from "node:fs";

/** Resolves once a process has a file open that has no name: a copy of its input (on Linux). */
export async function untilItReads(pid: number): Promise<void> {
  const folder = `/proc/${pid}/fd`;
  const names = () => {
    try {
      return readdirSync(folder).map((fd) => readlinkSync(`${folder}/${fd}`));
    } catch {
      // A descriptor that was closed meanwhile.
      return [];
    }
  };
  while (!names().some((name) => name.endsWith("(deleted)")))
    await new Promise((resolve) => setTimeout(resolve, 5));
}
