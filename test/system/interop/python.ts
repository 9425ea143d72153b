import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** The Python that judges; where it has no pyarrow, tests say what they leave out. */
export const python = process.env.INTEROP_PYTHON ?? "python3";

// .ci/run installs the packages while other tests run, and then makes this file.
const ready = process.env.INTEROP_READY;
while (ready && !existsSync(ready)) await setTimeout(200);

/** Returns whether Python has these packages; to import them could take seconds. */
export function importable(packages: string): boolean {
  const found = "all(map(find_spec, sys.argv[1].split(', ')))";
  const script = `import sys; from importlib.util import find_spec; sys.exit(not ${found})`;
  return spawnSync(python, ["-c", script, packages]).status === 0;
}

/** Runs a script to its end, without warnings of readers that know no extension types. */
export function runPython(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(python, args, {
    encoding: "utf8",
    env: {
      ...process.env,
      PYTHONWARNINGS: "ignore",
      POLARS_UNKNOWN_EXTENSION_TYPE_BEHAVIOR: "load_as_storage",
    },
  });
}
