import { statSync } from "node:fs";
import { join } from "node:path";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { openLogits } from "../input/open-logits.js";
import { planJob } from "../job.js";
import { openOptionsOf } from "../options.js";
import type { LeftOutInput, PinnedInput } from "./dataset-plan.js";
import type { DatasetHooks } from "./events.js";
import type { FoundInputs } from "./find-inputs.js";
import { errorOfInput, isBadInput } from "./left-out.js";
import type { ResolvedDataset } from "./options.js";
import type { InputSize } from "./plan-shards.js";

/** What of an input must be the same in all. */
interface Kind {
  name: string;
  classes: number;
  dtype: string;
}

export interface PinnedInputs {
  pinned: PinnedInput[];
  /** Of those pinned. */
  sizes: InputSize[];
  leftOut: LeftOutInput[];
}

/**
 * Opens every input, checks that a run can be over it and that all give the same columns, and notes what it is.
 * @throws SoftjacError as a run over that input would; InputUnsupportedError for one that is unlike the first; with
 * `keepGoing` only where none is left
 */
export async function pinInputs(
  { root, names }: FoundInputs,
  dataset: ResolvedDataset,
  { signal, onEvent }: Pick<DatasetHooks, "signal" | "onEvent">,
): Promise<PinnedInputs> {
  const pinned: PinnedInput[] = [];
  const sizes: InputSize[] = [];
  const leftOut: LeftOutInput[] = [];
  let first: Kind | null = null;
  for (const [k, name] of names.entries()) {
    const path = join(root, name);
    const seen = stateOf(path);
    try {
      const { kind, size } = await lookInto(path, name, dataset, signal);
      first ??= kind;
      refuseOther(path, first, kind);
      pinned.push({ name, ...seen, rows: size.rows });
      sizes.push(size);
    } catch (error) {
      if (!dataset.work.keepGoing || !isBadInput(error)) throw error;
      if (pinned.length === 0 && k + 1 === names.length) throw error;
      const found = errorOfInput(error, path, name);
      leftOut.push({ name, ...seen, error: found });
      onEvent?.({ event: "input left out", input: name, error: found });
    }
  }
  return { pinned, sizes, leftOut };
}

async function lookInto(
  path: string,
  name: string,
  dataset: ResolvedDataset,
  signal: AbortSignal | undefined,
): Promise<{ kind: Kind; size: InputSize }> {
  const options = dataset.of(path);
  const logits = await openLogits(path, openOptionsOf(options, signal));
  try {
    const { rows, classes } = logits;
    const job = planJob(options, logits);
    const bytes = job.kind === "planned" ? job.layout.bytes : logits.bytes;
    return {
      kind: { name, classes, dtype: job.dtype },
      size: { rows, bytesPerRow: bytes / Math.max(1, rows) },
    };
  } finally {
    logits.close();
  }
}

/** The run's plan is no longer that of its inputs. */
export class InputChangedError extends InputFormatError {}

/** @throws InputChangedError for an input that is not what it was */
export function checkPinned(
  path: string,
  { bytes, modified }: PinnedInput,
): void {
  const found = stateOf(path);
  if (found.bytes !== bytes || found.modified !== modified)
    throw new InputChangedError(
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
