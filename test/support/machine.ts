import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

// Programs and rights that some tests need. Tests without them are skipped by test.skipIf, so that they are counted.

export const isLinux = process.platform === "linux";

/** Returns whether a program starts. */
export function hasProgram(name: string, ...args: string[]): boolean {
  return spawnSync(name, args.length ? args : ["--version"]).status === 0;
}

/** Returns a directory beside this repository with files too large to check in; null if it is missing. */
export function sharedFolder(name: string): string | null {
  const path = fileURLToPath(
    new URL(`../../../shared/data/${name}`, import.meta.url),
  );
  return fs.existsSync(path) ? path : null;
}

/** Mounts an empty file system of a few MiB; returns false without permission to mount. */
export function mountSmall(path: string, size: string): boolean {
  fs.mkdirSync(path);
  const args = ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path];
  return spawnSync("mount", args).status === 0;
}

export function unmount(path: string): void {
  spawnSync("umount", [path]);
}

/** Returns whether this process may mount file systems. */
export function canMount(): boolean {
  const folder = fs.mkdtempSync(join(tmpdir(), "softjac-mount-"));
  const path = join(folder, "small");
  const can = mountSmall(path, "1m");
  if (can) unmount(path);
  fs.rmdirSync(path);
  fs.rmdirSync(folder);
  return can;
}

/** Library of Debian's package faketime for programs with threads. */
export function faketimeLibrary(): string | undefined {
  if (!isLinux) return;
  return fs
    .readdirSync("/usr/lib")
    .map((name) => join("/usr/lib", name, "faketime", "libfaketimeMT.so.1"))
    .find((path) => fs.existsSync(path));
}
