import {
  AbortedError,
  InputUnsupportedError,
  isUnknownClassesError,
  unknownClassesError,
} from "../errors.js";
import { reportLogits } from "../input/first-rows.js";
import type { LogitsFile } from "../input/logits-file.js";
import { shortName } from "../printable.js";
import { partitionReader } from "../results/path-partitions.js";
import { openOptions } from "../run/open-options.js";
import { sizeJob, sizeWarning } from "../run/plan-job.js";
import type { InputSize, PinnedInput, SkippedInput } from "./dataset-plan.js";
import type { DatasetHooks } from "./events.js";
import type { WorkHooks } from "./graceful-stop.js";
import type { Inputs } from "./inputs.js";
import type { ResolvedDataset } from "./options.js";
import { inputErrorMessage, isInvalidInput } from "./run-files.js";

/** Properties that are the same for all inputs. */
interface Kind extends Pick<LogitsFile, "classes" | "classNames" | "leading"> {
  name: string;
  dtype: string;
}

export interface PinnedInputs {
  pinned: PinnedInput[];
  /** Sizes of the pinned inputs. */
  sizes: InputSize[];
  leftOut: SkippedInput[];
}

/**
 * Opens every input, checks that a run can use it and that all give the same columns, and records its state.
 * @throws SoftjacError as a run over that input; InputUnsupportedError for an input that differs from the first; with
 * `keepGoing` only if no input is left
 */
export async function pinInputs(
  names: readonly string[],
  inputs: Inputs,
  dataset: ResolvedDataset,
  { signal, alive, onEvent }: Pick<DatasetHooks, "onEvent"> & WorkHooks,
): Promise<PinnedInputs> {
  const found = new Map<string, { input: PinnedInput; size: InputSize }>();
  const leftOut: SkippedInput[] = [];
  const partitionsOf = partitionReader(names.map((name) => inputs.path(name)));
  let first: Kind | null = null;

  async function pin(
    input: Omit<PinnedInput, "rows">,
    path: string,
  ): Promise<void> {
    const { name, classes } = input;
    const resolved = dataset.optionsFor(path);
    const options = { ...resolved, partitions: partitionsOf(path) };
    const open = { ...openOptions(options, signal), classes };
    const logits = await inputs.open(input, open);
    try {
      await reportLogits(logits, first ? undefined : onEvent);
      const job = await inputs.reading(logits, () => sizeJob(options, logits));
      const message = first ? null : sizeWarning(options, logits, job);
      if (message) onEvent?.({ event: "warning", message });
      const { rows, classNames, leading, partitions: used } = logits;
      const columns = { classes: logits.classes, classNames, leading };
      const kind = { name, ...columns, dtype: job.dtype };
      first ??= kind;
      rejectDifferent(path, first, kind);
      const partitions = used.length > 0 ? used : undefined;
      const bytes = job.kind === "planned" ? job.sizes.bytes : logits.bytes;
      found.set(name, {
        input: { ...input, rows, partitions },
        size: { rows, bytesPerRow: bytes / Math.max(1, rows) },
      });
    } finally {
      logits.close();
    }
  }

  // Inputs whose rows do not tell the number of classes come once more, with that of the others.
  const again = new Set<string>();
  for (const name of inTurn(names, again)) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    alive?.();
    const path = inputs.path(name);
    const input = { name, ...(await inputs.state(name)) };
    const { classes } = (first ?? {}) as Partial<Kind>;
    try {
      await pin(
        again.has(name) && classes ? { ...input, classes } : input,
        path,
      );
    } catch (error) {
      const isUnknown = isUnknownClassesError(error);
      if (isUnknown && !again.has(name)) {
        again.add(name);
        continue;
      }
      if (isUnknown && !first && names.length > 1)
        throw unknownClassesError(
          path,
          `no row of the ${names.length} inputs has logits`,
        );
      if (!dataset.work.keepGoing || !isInvalidInput(error)) throw error;
      if (found.size === 0 && leftOut.length + 1 === names.length) throw error;
      const text = inputErrorMessage(error, path, name);
      leftOut.push({ ...input, error: text });
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
function* inTurn(
  names: readonly string[],
  again: ReadonlySet<string>,
): Generator<string> {
  yield* names;
  yield* again;
}

function rejectDifferent(path: string, first: Kind, found: Kind): void {
  const rejection = (
    expected: string,
    actual: string | number,
    advice: string,
  ) =>
    new InputUnsupportedError(
      path,
      "logits",
      `expected ${expected} as in ${first.name}, found ${actual}; ${advice}`,
    );
  if (found.classes !== first.classes)
    throw rejection(
      `${first.classes} classes`,
      found.classes,
      "run files of other classes by themselves",
    );
  if (found.dtype !== first.dtype)
    throw rejection(
      `results of ${first.dtype}`,
      found.dtype,
      "use --dtype float32 or --dtype float64 for all files",
    );
  // Each axis but the first has an index column.
  if (found.leading.length !== first.leading.length)
    throw rejection(
      `rows of ${first.leading.length} axes`,
      found.leading.length,
      "give all files the same shape, or run them one by one",
    );
  const [ours, theirs] = [found.classNames ?? [], first.classNames];
  const k = ours.findIndex((name, k) => theirs && theirs[k] !== name);
  if (k >= 0)
    throw rejection(
      `class ${k} to be ${shortName(theirs?.[k] ?? "")}`,
      shortName(ours[k] ?? ""),
      "list the columns in one order with --columns",
    );
}
