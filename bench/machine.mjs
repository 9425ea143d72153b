// What the figures depend on, recorded beside them. No names of hosts or folders: the results are published.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";

export function describeMachine(work, pythonVersions) {
  const { version } = JSON.parse(
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  );
  return {
    date: new Date().toISOString().slice(0, 10),
    softjac: version,
    node: process.versions.node,
    python: pythonVersions,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: `${type()} ${release()}`,
    fileSystem: fileSystemOf(work),
  };
}

function fileSystemOf(path) {
  try {
    const lines = execFileSync("df", ["--output=fstype", path], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return lines.trim().split("\n").at(-1);
  } catch {
    // df of another kind than GNU's.
    return "unknown";
  }
}
