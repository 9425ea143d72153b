import { statSync } from "node:fs";
import { join } from "node:path";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { openLogits } from "../input/open-logits.js";
import { planJob } from "../job.js";
import { openOptionsOf } from "../options.js";
import type { PinnedInput } from "./dataset-plan.js";
import type { FoundInputs } from "./find-inputs.js";
import type { ResolvedDataset } from "./options.js";
import type { InputSize } from "./plan-shards.js";

/** What of an input must be the same in all. */
interface Kind {
  name: string;
  classes: number;
  dtype: string;
}

/**
 * Opens every input, checks that a run can be over it and that all give the same columns, and notes what it is.
 * @throws SoftjacError as a run over that input would; InputUnsupportedError for one that is unlike the first
 */
export async function pinInputs(
  { root, names }: FoundInputs,
  dataset: ResolvedDataset,
  signal: AbortSignal | undefined,
): Promise<{ pinned: PinnedInput[]; sizes: InputSize[] }> {
  const pinned: PinnedInput[] = [];
  const sizes: InputSize[] = [];
  let first: Kind | null = null;
  for (const name of names) {
    const path = join(root, name);
    const options = dataset.of(path);
    const seen = stateOf(path);
    const logits = await openLogits(path, openOptionsOf(options, signal));
    try {
      const job = planJob(options, logits);
      const kind = { name, classes: logits.classes, dtype: job.dtype };
      first ??= kind;
      refuseOther(path, first, kind);
      pinned.push({ name, ...seen, rows: logits.rows });
      const bytes = job.kind === "planned" ? job.layout.bytes : logits.bytes;
      sizes.push({
        rows: logits.rows,
        bytesPerRow: bytes / Math.max(1, logits.rows),
      });
    } finally {
      logits.close();
    }
  }
  return { pinned, sizes };
}

/** @throws InputFormatError for an input that is not what it was */
export function checkPinned(
  path: string,
  { bytes, modified }: PinnedInput,
): void {
  const found = stateOf(path);
  if (found.bytes !== bytes || found.modified !== modified)
    throw new InputFormatError(
      path,
      "file",
      `expected it as it was when the run was planned (${bytes} bytes, changed at ${modified} ns), found another (${found.bytes} bytes, changed at ${found.modified} ns)`,
    );
}

function stateOf(path: string): Pick<PinnedInput, "bytes" | "modified"> {
  const { size, mtimeNs } = statSync(path, { bigint: true });
  return { bytes: Number(size), modified: String(mtimeNs) };
}

function refuseOther(path: string, first: Kind, found: Kind): void {
  for (const key of ["classes", "dtype"] as const)
    if (found[key] !== first[key])
      throw new InputUnsupportedError(
        path,
        "logits",
        `expected ${key === "classes" ? `${first.classes} classes` : `results of ${first.dtype}`} as in ${first.name}, found ${found[key]}`,
      );
}
