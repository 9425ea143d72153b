import { LogitsColumnError } from "../errors.js";
import { InputRows } from "../input/input-rows.js";
import { checkUnchanged } from "../input/input-state.js";
import { interpreting } from "../input/interpreting.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openRunLogits, withModelFiles } from "../model/run-model.js";
import { checkExclusive } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import type { RunOptions } from "../options/run-options.js";
import { shortName } from "../printable.js";
import { type FileBytes, openFileBytes } from "../reader/byte-source.js";
import { expectedColumns, resultNames } from "../reader/output-columns.js";
import { openStoredRows } from "../reader/stored-rows.js";
import { auxiliaryColumns, checkEmit } from "../results/emit-options.js";
import { axesOf, nameOfKey } from "../results/row-axes.js";
import {
  readStoredRun,
  type StoredRun,
  withStoredOptions,
} from "../results/run-metadata.js";
import { type ColumnReport, Problems } from "./column-check.js";
import {
  compareAllRows,
  compareSampledRows,
  sampleRows,
} from "./compare-rows.js";
import { ReferenceResults } from "./reference-results.js";
import { RowChecker } from "./row-checker.js";

/** Report on the values of an output. ε is 2^-52 for float64 and 2^-23 for float32. */
export interface ValueReport {
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

/** Output and input to compare, and options of the run that override those of the metadata. */
export interface ValueOptions extends RunOptions {
  /** Number of rows to check: the first, the last and a random sample of the others; default: all. */
  rows?: number;
  seed?: number | undefined;
}

/**
 * Compares the results in a file with the reference, which recomputes them from the input with about 31 digits and shares no
 * code with the kernels. Wrong values do not throw; the report lists them.
 */
export async function verifyValues(
  options: ValueOptions,
  hooks: RunHooks = {},
): Promise<ValueReport> {
  const bytes = await openFileBytes(options.output);
  try {
    const { schema, source } = bytes.file;
    const run = readStoredRun(options.output, schema.metadata);
    const logits = await openInput(run, options, hooks.signal);
    try {
      const report = await compare(options, hooks, run, logits, bytes);
      await checkUnchanged(source);
      await checkUnchanged(logits.source);
      return report;
    } finally {
      logits.close();
    }
  } finally {
    await bytes.close();
  }
}

/** Opens the input with the options of the caller, and those of the metadata for others. */
async function openInput(
  run: StoredRun,
  options: ValueOptions,
  signal: AbortSignal | undefined,
): Promise<LogitsFile> {
  const stored = withStoredOptions(run, options);
  const merged = withModelFiles(options, stored, options);
  checkExclusive(merged);
  checkEmit(run.emit, run.layout, merged);
  const open = (choice: Pick<StoredRun, "column" | "columns">) =>
    openRunLogits(options.input, {
      ...{ ...merged, ...choice, keep: [], ownNames: [], signal },
      inputs: auxiliaryColumns(run.emit, merged),
      ...{ partitions: run.partitions, classes: run.classes },
      classCodes: run.classCodes ?? false,
    });
  try {
    return await open({});
  } catch (error) {
    // A converted input may have another name for the logits, or none, as .npy.
    const isNamed = (options.column ?? options.columns) !== undefined;
    if (isNamed || !(error instanceof LogitsColumnError)) throw error;
    return open({ column: undefined, columns: undefined }).catch(() => {
      throw error;
    });
  }
}

async function compare(
  { output, rows: requested = Infinity, seed = 0 }: ValueOptions,
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
