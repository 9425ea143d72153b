// Inputs: generated once, kept in the work folder for the next time.
import { existsSync } from "node:fs";
import { rename, statfs } from "node:fs/promises";
import { join } from "node:path";
import { runPython, script } from "./python.mjs";
import { bytesOnDisk } from "./workloads.mjs";

/** Path of the workload's input. Seeded, so that the name says all about the content. */
export async function prepareInput(workload, { python, work, log }) {
  const { rows, classes, dtype, cotangent, scale = 3, compression } = workload;
  if (workload.model) {
    const path = join(work, `features-${rows}x${classes}.arrow`);
    if (existsSync(`${path}.V.npy`)) return path;
    log(`  making ${rows} rows of features`);
    const words = ["make", path, String(rows), String(classes)];
    await runPython(python.path, [script("peers/effects.py"), ...words]);
    return path;
  }
  const kind = cotangent ? "logits+cotangent" : "logits";
  const spread = scale === 3 ? "" : `-scale-${scale}`;
  const codec = compression ? `-${compression}` : "";
  const path = join(
    work,
    `${kind}-${rows}x${classes}-${dtype}${spread}${codec}.arrow`,
  );
  if (existsSync(path)) return path;
  log(`  making ${rows} rows of ${classes} classes, ${dtype}`);
  const unfinished = `${path}.unfinished`;
  await runPython(python.path, [
    script("peers/generate.py"),
    unfinished,
    ...[rows, classes, dtype, scale].map(String),
    cotangent ? "cotangent" : "-",
    ...(compression ? [compression] : []),
  ]);
  await rename(unfinished, path);
  return path;
}

/** Why the workload cannot run here, or undefined. A quarter more than both files take: 12 GB for the largest. */
export async function lackOfSpace(workload, work) {
  const { bavail, bsize } = await statfs(work);
  const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;
  const free = bavail * bsize;
  const needed = bytesOnDisk(workload) * 1.25;
  return free < needed
    ? `needs ${gigabytes(needed)} of free disk, has ${gigabytes(free)}`
    : undefined;
}
