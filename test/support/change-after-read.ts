import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/**
 * Runs `work`, and calls `change` right after the nth read of the file at `path`.
 * @returns the result of `work`, and whether `change` was called
 */
export async function changeAfterRead<T>(
  path: string,
  change: () => void,
  work: () => Promise<T>,
  nth = 1,
): Promise<{ result: T; changed: boolean }> {
  const { dev, ino } = fs.statSync(path);
  const { read, readSync } = fs;
  let reads = 0;
  const afterRead = (fd: number) => {
    const found = fs.fstatSync(fd);
    if (found.dev !== dev || found.ino !== ino) return;
    if (++reads === nth) change();
  };
  const patched = fs as unknown as Record<string, unknown>;
  patched.readSync = (fd: number, ...rest: unknown[]) => {
    const bytes = Reflect.apply(readSync, fs, [fd, ...rest]);
    afterRead(fd);
    return bytes;
  };
  patched.read = (fd: number, ...rest: unknown[]) => {
    const done = rest.pop() as (error: unknown, bytes: number) => void;
    const then = (error: unknown, bytes: number) => {
      afterRead(fd);
      done(error, bytes);
    };
    Reflect.apply(read, fs, [fd, ...rest, then]);
  };
  syncBuiltinESMExports();
  try {
    const result = await work();
    return { result, changed: reads >= nth };
  } finally {
    Object.assign(fs, { read, readSync });
    syncBuiltinESMExports();
  }
}
