import { LogitsColumnError, UsageError } from "../errors.js";
import { InputRows } from "../input/input-rows.js";
import { checkUnchanged } from "../input/input-state.js";
import { interpreting } from "../input/interpreting.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openRunLogits, withModelFiles } from "../model/run-model.js";
import { checkHooks, copyOptions, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import type { OptionsOf } from "../options/options-table.js";
import {
  type ResolvedOptions,
  resolveOptions,
} from "../options/run-options.js";
import { shortName } from "../printable.js";
import { type FileBytes, openFileBytes } from "../reader/byte-source.js";
import { expectedColumns, resultNames } from "../reader/output-columns.js";
import { openStoredRows } from "../reader/stored-rows.js";
import { axesOf, nameOfKey } from "../results/row-axes.js";
import {
  readStoredRun,
  type StoredRun,
  withStoredOptions,
} from "../results/run-metadata.js";
import { type ColumnReport, Problems } from "./column-check.js";
import { type ByteComparison, compareRun } from "./compare-bytes.js";
import {
  compareAllRows,
  compareSampledRows,
  sampleRows,
} from "./compare-rows.js";
import { ReferenceResults } from "./reference-results.js";
import { RowChecker } from "./row-checker.js";

/** Options of `verify`. Only `output` and `input` are required; those of `run` default to what the output records. */
export interface VerifyOptions extends OptionsOf<"verify"> {}

/** Report on the values of an output. ε is 2^-52 for float64 and 2^-23 for float32. */
interface ValueReport {
  /** Rows of the input. */
  rows: number;
  rowsChecked: number;
  /** Number of checked rows without results. */
  badRows: number;
  columns: ColumnReport[];
  /** Names of the copied columns, whose values were not compared. */
  notCompared: string[];
  /** Descriptions of the first 20 errors. */
  problems: string[];
  /** Number of further errors. */
  otherProblems: number;
  ok: boolean;
}

/** Report of a verification. */
export interface VerifyReport extends ValueReport {
  output: string;
  input: string;
  /** Comparison with a new run, byte by byte; null without `all`. */
  bytes: ByteComparison | null;
  /** Duration of the call, in milliseconds. */
  durationMs: number;
}

/** Options whose `sample` is Infinity if `all` is set. */
type Checked = VerifyOptions & { sample: number };

/**
 * Checks an output against its input: its structure, its values against an independent computation with 31 digits, and
 * with `all` every byte. Wrong values do not throw; the report lists them.
 *
 * @returns the report, with errors in ulp or ε of each column's type
 * @throws SoftjacError if one of the files cannot be read, or the output does not belong to the input
 */
export async function verify(
  options: VerifyOptions,
  hooks: RunHooks = {},
): Promise<VerifyReport> {
  checkHooks(hooks);
  const start = performance.now();
  const { sample, all } = resolve("verify", options);
  if (all && options.sample !== undefined)
    throw new UsageError("sample, all: give only one of them", "all");
  const given = { ...copyOptions(options), sample: all ? Infinity : sample };
  const { output, input } = given;
  const opened = await openFileBytes(output);
  try {
    const { schema, source } = opened.file;
    const run = readStoredRun(output, schema.metadata);
    const ofRun = optionsOfRun(run, given);
    const { signal } = hooks;
    const logits = await openInput(run, ofRun, given, signal);
    try {
      const values = await compareValues(given, hooks, run, logits, opened);
      const bytes = all
        ? await compareRun(output, ofRun, logits, { signal })
        : null;
      await checkUnchanged(source);
      await checkUnchanged(logits.source);
      const difference = bytes?.compared ? bytes.message : null;
      return {
        ...values,
        notCompared: bytes?.compared ? [] : values.notCompared,
        problems: [...values.problems, ...(difference ? [difference] : [])],
        ok: values.ok && !difference,
        ...{ output, input, bytes, durationMs: performance.now() - start },
      };
    } finally {
      logits.close();
    }
  } finally {
    await opened.close();
  }
}

/** Returns the options of the run: those of the caller, and those of the metadata for others. */
function optionsOfRun(
  run: StoredRun,
  { sample: _, seed, all, ...given }: VerifyOptions,
): ResolvedOptions {
  const stored = withStoredOptions(run, given) as typeof given;
  const options = resolveOptions({
    ...withModelFiles(given, stored, given),
    ...{ topK: run.topK || undefined, forceDense: true },
  });
  const { partitions = [], classCodes = false } = run;
  return { ...options, partitions, classCodes };
}

/** Opens the input; copied columns are needed only to compare bytes. */
async function openInput(
  { classes }: StoredRun,
  options: ResolvedOptions,
  { all, column, columns }: VerifyOptions,
  signal: AbortSignal | undefined,
): Promise<LogitsFile> {
  const keep = all ? options.keep : [];
  const open = (choice: Pick<StoredRun, "column" | "columns">) =>
    openRunLogits(options.input, {
      ...{ ...options, ...choice, keep, ownNames: [], classes, signal },
    });
  try {
    return await open({});
  } catch (error) {
    // A converted input may have another name for the logits, or none, as .npy.
    const isNamed = (column ?? columns) !== undefined;
    if (isNamed || !(error instanceof LogitsColumnError)) throw error;
    return open({ column: undefined, columns: undefined }).catch(() => {
      throw error;
    });
  }
}

/** Compares the results with the reference, and checks the structure of the output. */
async function compareValues(
  { output, sample: requested, seed = 0 }: Checked,
  { signal, onProgress }: RunHooks,
  run: StoredRun,
  logits: LogitsFile,
  bytes: FileBytes,
): Promise<ValueReport> {
  const rows = run.rowEnd - run.rowStart;
  const finish = (checker?: RowChecker, notCompared: string[] = []) => ({
    rows,
    rowsChecked: checker?.rowsChecked ?? 0,
    badRows: checker?.badRows ?? 0,
    columns: checker?.columnReports() ?? [],
    notCompared,
    problems: problems.list,
    otherProblems: problems.others,
    ok: problems.list.length === 0,
  });
  const axes = axesOf(logits);
  const problems = new Problems(axes);
  checkMetadata(run, logits, problems);
  if (problems.list.length > 0) return finish();

  const { fields } = bytes.file.schema;
  const expected = expectedColumns(run, logits.inputs);
  const stored = interpreting(output, "results", () =>
    openStoredRows(bytes, {
      ...{ run, expected },
      onProblem: (text) => problems.add(text),
      onDifference: (key, text) =>
        problems.add(`${nameOfKey(axes.inner, key)}: ${text}`),
    }),
  );
  const results = resultNames(run.rowShape, expected);
  const copied = fields
    .map(({ name }) => name)
    .filter((name) => !results.includes(name));
  for (const name of copied)
    if (!run.keep?.includes(name))
      problems.add(
        `column ${shortName(name)}: the column is listed neither in softjac.emit nor in softjac.keep`,
      );
  if (!stored) return finish(undefined, copied);

  const isNullable = stored.columns.some(
    ({ stored }) => fields[stored.columns[0] as number]?.nullable,
  );
  const input = new InputRows(logits);
  const { columns } = stored;
  const reference = new ReferenceResults(run, input, logits.inputs);
  const context = { run, problems };
  const checker = new RowChecker(context, columns, isNullable, reference);
  const sample =
    requested >= rows
      ? null
      : sampleRows(rows, requested, seed).map((row) => run.rowStart + row);
  const comparison = {
    ...{ ...context, output, stored, input, axes, checker, signal },
    onProgress: (done: number) => onProgress?.(done, sample?.length ?? rows),
  };
  await (sample
    ? compareSampledRows(comparison, sample)
    : compareAllRows(comparison));
  return finish(checker, copied);
}

function checkMetadata(
  run: StoredRun,
  input: LogitsFile,
  problems: Problems,
): void {
  for (const name of ["rows", "classes"] as const)
    if (run[name] !== input[name])
      problems.add(
        `metadata: expected softjac.${name} ${input[name]} as in ${input.path}, found ${run[name]}`,
      );
  const shape = input.leading.length > 1 ? input.leading.join() : "none";
  if ((run.rowShape?.join() ?? "none") !== shape)
    problems.add(
      `metadata: expected softjac.row_shape ${shape} as in ${input.path}, found ${run.rowShape?.join() ?? "none"}`,
    );
  const [stored = [], names] = [run.classNames, input.classNames];
  const k = stored.findIndex((name, k) => names && names[k] !== name);
  // Names that the input lacks altogether came from an option.
  if (k >= 0 && stored.some((name) => names?.includes(name)))
    problems.add(
      `metadata: expected class ${k} in softjac.class_names to be ${names?.[k]} as in ${input.path}, found ${stored?.[k]}`,
    );
}
