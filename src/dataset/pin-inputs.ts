import {
  AbortedError,
  areClassesUnknown,
  InputUnsupportedError,
  unknownClasses,
} from "../errors.js";
import { reportLogits } from "../input/first-rows.js";
import { partitionReader } from "../input/partitions.js";
import { sizeJob, sizeWarning } from "../job.js";
import { openOptionsOf, type ResolvedOptions } from "../options.js";
import { shortName } from "../printable.js";
import type { Partition } from "../results/run-metadata.js";
import type { LeftOutInput, PinnedInput } from "./dataset-plan.js";
import type { DatasetHooks } from "./events.js";
import type { Inputs } from "./inputs.js";
import type { ResolvedDataset } from "./options.js";
import type { InputSize } from "./plan-shards.js";
import { errorOfInput, isBadInput } from "./run-files.js";
import type { Watched } from "./stopping.js";

/** What of an input must be the same in all. */
interface Kind {
  name: string;
  classes: number;
  /** Number of axes of the rows: each but the first has an index column. */
  axes: number;
  classNames: readonly string[] | null;
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
  names: readonly string[],
  inputs: Inputs,
  dataset: ResolvedDataset,
  { signal, alive, onEvent }: Pick<DatasetHooks, "onEvent"> & Watched,
): Promise<PinnedInputs> {
  const found = new Map<string, { input: PinnedInput; size: InputSize }>();
  const leftOut: LeftOutInput[] = [];
  const partitionsOf = partitionReader(names.map((name) => inputs.path(name)));
  let first: Kind | null = null;
  // Inputs whose rows do not tell the number of classes come once more, with that of the others.
  const again = new Set<string>();
  for (const name of sequence(names, again)) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    alive?.();
    const path = inputs.path(name);
    const seen = await inputs.state(name);
    try {
      const classes =
        first && again.has(name) ? { classes: first.classes } : {};
      const input = { name, ...seen, ...classes };
      const options = {
        ...dataset.of(path),
        partitions: partitionsOf(path),
      };
      const { kind, size, used } = await lookInto(inputs, input, options, {
        signal,
        onEvent: first ? undefined : onEvent,
      });
      first ??= kind;
      refuseOther(path, first, kind);
      const partitions = used.length > 0 ? used : undefined;
      found.set(name, {
        input: { ...input, rows: size.rows, partitions },
        size,
      });
    } catch (error) {
      const isUnknown = areClassesUnknown(error);
      if (isUnknown && !again.has(name)) {
        again.add(name);
        continue;
      }
      if (isUnknown && !first && names.length > 1)
        throw unknownClasses(
          path,
          `no row of the ${names.length} inputs has logits`,
        );
      if (!dataset.work.keepGoing || !isBadInput(error)) throw error;
      if (found.size === 0 && leftOut.length + 1 === names.length) throw error;
      const text = errorOfInput(error, path, name);
      leftOut.push({ name, ...seen, error: text });
      onEvent?.({ event: "input skipped", input: name, error: text });
    }
  }
  const all = names.flatMap((name) => found.get(name) ?? []);
  return {
    pinned: all.map(({ input }) => input),
    sizes: all.map(({ size }) => size),
    leftOut,
  };
}

/** Yields the names, then those that were added to `again` meanwhile. */
function* sequence(
  names: readonly string[],
  again: ReadonlySet<string>,
): Generator<string> {
  yield* names;
  yield* again;
}

async function lookInto(
  inputs: Inputs,
  input: Omit<PinnedInput, "rows">,
  options: ResolvedOptions,
  { signal, onEvent }: Pick<DatasetHooks, "signal" | "onEvent">,
): Promise<{ kind: Kind; size: InputSize; used: Partition[] }> {
  const { name } = input;
  const logits = await inputs.open(input, {
    ...openOptionsOf(options, signal),
    classes: input.classes,
  });
  try {
    await reportLogits(logits, onEvent);
    const { rows, classes, classNames, leading } = logits;
    const job = await inputs.reading(logits, () => sizeJob(options, logits));
    const message = sizeWarning(options, logits, job);
    if (message) onEvent?.({ event: "warning", message });
    const bytes = job.kind === "planned" ? job.sizes.bytes : logits.bytes;
    return {
      kind: {
        name,
        classes,
        axes: leading.length,
        classNames,
        dtype: job.dtype,
      },
      size: { rows, bytesPerRow: bytes / Math.max(1, rows) },
      used: logits.partitions,
    };
  } finally {
    logits.close();
  }
}

function refuseOther(path: string, first: Kind, found: Kind): void {
  for (const key of ["classes", "dtype"] as const)
    if (found[key] !== first[key])
      throw new InputUnsupportedError(
        path,
        "logits",
        `expected ${key === "classes" ? `${first.classes} classes` : `results of ${first.dtype}`} as in ${first.name}, found ${found[key]}${key === "dtype" ? "; use --dtype float32 or --dtype float64 for all files" : "; run files of other classes by themselves"}`,
      );
  if (found.axes !== first.axes)
    throw new InputUnsupportedError(
      path,
      "logits",
      `expected rows of ${first.axes} axes as in ${first.name}, found ${found.axes}; give all files the same shape, or run them one by one`,
    );
  const k =
    found.classNames?.findIndex(
      (name, k) => first.classNames && first.classNames[k] !== name,
    ) ?? -1;
  if (k >= 0)
    throw new InputUnsupportedError(
      path,
      "logits",
      `expected class ${k} to be ${shortName(first.classNames?.[k] ?? "")} as in ${first.name}, found ${shortName(found.classNames?.[k] ?? "")}; list the columns in one order with --columns`,
    );
}
