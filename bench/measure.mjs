// One measured run of a whole process.
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { environment } from "./environment.mjs";
import { script } from "./python.mjs";

/**
 * The output is deleted first, so that both sides always write a fresh file, and so that what the run before left
 * unwritten in the page cache is dropped and not flushed at this run's expense.
 *
 * Returns { seconds, cpuSeconds, peakBytes }; throws with standard error when the process fails.
 */
export async function measure(python, { name, command, output }) {
  await rm(output, { force: true, recursive: true });
  // -I -S: nothing of the user's site, so that the parent of the measured process stays small (see measure.py).
  const args = ["-I", "-S", script("measure.py"), ...command];
  const { stdout, stderr } = await promisify(execFile)(python.path, args, {
    env: environment,
  });
  const { exitCode, ...figures } = JSON.parse(stdout);
  if (exitCode !== 0)
    throw new Error(`${name} exited with ${exitCode}:\n${stderr}`);
  return figures;
}
