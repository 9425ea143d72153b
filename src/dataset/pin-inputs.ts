import {
  AbortedError,
  InputUnsupportedError,
  isUnknownClassesError,
  unknownClassesError,
} from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { logitsReporter } from "../input/open-logits.js";
import type { RunModel } from "../model/run-model.js";
import { shortName } from "../printable.js";
import { partitionReader } from "../results/path-partitions.js";
import { openOptions } from "../run/open-options.js";
import { planRun, sizeWarning } from "../run/run-plan.js";
import type { InputSize, PinnedInput, SkippedInput } from "./dataset-plan.js";
import type { DatasetHooks } from "./events.js";
import type { WorkHooks } from "./graceful-stop.js";
import type { Inputs } from "./inputs.js";
import type { ResolvedDataset } from "./options.js";
import { inputErrorMessage, isInvalidInput } from "./run-files.js";

/** Properties that must be equal for all inputs. */
interface CommonProperties
  extends Pick<LogitsFile, "classes" | "classNames" | "leading"> {
  name: string;
  dtype: string;
  /** Names of the features in the order of the coefficients; null for logits, lists and arrays. */
  featureNames: readonly string[] | null;
}

interface PinContext extends Pick<DatasetHooks, "onEvent">, WorkHooks {
  /** Model whose logits replace the features of the inputs. */
  model: RunModel | null;
}

export interface PinnedInputs {
  pinned: PinnedInput[];
  sizes: InputSize[];
  skipped: SkippedInput[];
}

/**
 * Opens every input, records its state, and checks that all inputs produce the same output columns.
 * @throws SoftjacError as a run over that input; InputUnsupportedError for an input that differs from the first one. With
 * `keepGoing` such inputs are skipped, unless all inputs are invalid
 */
export async function pinInputs(
  names: readonly string[],
  inputs: Inputs,
  dataset: ResolvedDataset,
  { signal, alive, onEvent, model }: PinContext,
): Promise<PinnedInputs> {
  const pinned = new Map<string, { input: PinnedInput; size: InputSize }>();
  const skipped: SkippedInput[] = [];
  const partitionsOf = partitionReader(names.map((name) => inputs.path(name)));
  const reportLogits = logitsReporter(onEvent);
  let first: CommonProperties | null = null;

  async function pin(
    input: Omit<PinnedInput, "rows">,
    path: string,
  ): Promise<void> {
    const { name, classes } = input;
    const resolved = dataset.optionsFor(path);
    const options = { ...resolved, partitions: partitionsOf(path) };
    const open = { ...openOptions(options, signal), classes };
    const opened = model?.openOptions(open) ?? open;
    const logits = await inputs.open(input, opened);
    try {
      await reportLogits(logits);
      const plan = await inputs.reading(logits, () => planRun(options, logits));
      const message = first ? null : sizeWarning(options, plan);
      if (message) onEvent?.({ event: "warning", message });
      const { rows, classNames, leading, partitions: used } = logits;
      const features = logits.inputs.find((one) => one.option === "features");
      const columns = { classes: logits.classes, classNames, leading };
      const featureNames = (model && features?.names) ?? null;
      const { dtype } = plan;
      const properties = { name, ...columns, dtype, featureNames };
      first ??= properties;
      rejectDifferent(path, first, properties);
      const partitions = used.length > 0 ? used : undefined;
      const bytes = plan.kind === "fixed" ? plan.maxBytes : logits.bytes;
      pinned.set(name, {
        input: { ...input, rows, partitions },
        size: { rows, bytesPerRow: bytes / Math.max(1, rows) },
      });
    } finally {
      logits.close();
    }
  }

  // Inputs without a row that has logits are tried again, last, with the number of classes of the other inputs.
  const retried = new Set<string>();
  const all = [...names];
  for (const name of all) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    alive?.();
    const path = inputs.path(name);
    const input = { name, ...(await inputs.state(name)) };
    const { classes } = (first ?? {}) as Partial<CommonProperties>;
    const known = retried.has(name) && classes ? { ...input, classes } : input;
    try {
      await pin(known, path);
    } catch (error) {
      const isUnknown = isUnknownClassesError(error);
      if (isUnknown && !retried.has(name)) {
        retried.add(name);
        all.push(name);
        continue;
      }
      if (isUnknown && !first && names.length > 1) {
        const rows = `no row of the ${names.length} inputs has logits`;
        throw unknownClassesError(path, rows);
      }
      if (!dataset.keepGoing || !isInvalidInput(error)) throw error;
      if (pinned.size === 0 && skipped.length + 1 === names.length) throw error;
      const message = inputErrorMessage(error, path, name);
      skipped.push({ ...input, error: message });
      onEvent?.({ event: "input skipped", input: name, error: message });
    }
  }
  const valid = names.flatMap((name) => pinned.get(name) ?? []);
  return {
    pinned: valid.map(({ input }) => input),
    sizes: valid.map(({ size }) => size),
    skipped,
  };
}

function rejectDifferent(
  path: string,
  first: CommonProperties,
  other: CommonProperties,
): void {
  const rejection = (
    expected: string,
    found: string | number,
    rest: string,
  ) => {
    const what = `expected ${expected} as in ${first.name}, found ${found}`;
    return new InputUnsupportedError(path, "logits", `${what}; ${rest}`);
  };
  if (other.classes !== first.classes)
    throw rejection(
      `${first.classes} classes`,
      other.classes,
      "run files of other classes by themselves",
    );
  if (other.dtype !== first.dtype)
    throw rejection(
      `results of ${first.dtype}`,
      other.dtype,
      "use --dtype float32 or --dtype float64 for all files",
    );
  // Each leading axis except the first one becomes an index column.
  if (other.leading.length !== first.leading.length)
    throw rejection(
      `rows of ${first.leading.length} axes`,
      other.leading.length,
      "give all files the same shape, or run them one by one",
    );
  for (const [field, item, flag] of [
    ["classNames", "class", "--columns"],
    ["featureNames", "feature", "--features"],
  ] as const) {
    const [names, expected] = [other[field] ?? [], first[field]];
    const k = names.findIndex((name, k) => expected && expected[k] !== name);
    if (k >= 0)
      throw rejection(
        `${item} ${k} to be ${shortName(expected?.[k] ?? "")}`,
        shortName(names[k] ?? ""),
        `list the columns in one order with ${flag}`,
      );
  }
}
