import { LogitsColumnError } from "../errors.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import { openPlainArrow } from "../input/compression/open-plain.js";
import { InputRows } from "../input/input-rows.js";
import { checkUnchanged } from "../input/input-state.js";
import { interpretingWith } from "../input/interpreting.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openLogits } from "../input/open-logits.js";
import { axesOf, indexOfRow, nameOfRow } from "../input/row-indices.js";
import { chunkRowsOf } from "../reader/chunk-rows.js";
import { placeBatches } from "../reader/file-batches.js";
import { FileBytes } from "../reader/file-bytes.js";
import { Findings } from "../reader/findings.js";
import {
  expectedColumns,
  type FoundColumn,
  findColumns,
  findIndexColumns,
  otherColumns,
} from "../reader/output-columns.js";
import { checkEmit, inputsOf } from "../results/emit-options.js";
import {
  readStoredRun,
  type StoredRun,
  withStoredOptions,
} from "../results/run-metadata.js";
import { judgeAllCoordinates, judgeAllRows } from "./all-rows.js";
import type { ComparedFile } from "./compared-file.js";
import { RowJudge } from "./row-judge.js";
import { RowKeys } from "./row-keys.js";
import { RowTruth } from "./row-truth.js";
import {
  judgeSampledCoordinates,
  judgeSampledRows,
  sampleRows,
} from "./sampled-rows.js";
import {
  checkValueOptions,
  type ValueOptions,
  type VerifyHooks,
} from "./value-options.js";
import type { ValueReport } from "./value-report.js";

/**
 * Compares what a file of results holds with results worked out anew from its input in about 31 digits, by other code than
 * that which wrote it. Wrong values are what the report is about; nothing is thrown for them.
 *
 * @throws UsageError; InputFormatError for files that are damaged, or an output without softjac's metadata; whatever
 * opening an input throws; AbortedError
 */
export async function verifyValues(
  options: ValueOptions,
  hooks: VerifyHooks = {},
): Promise<ValueReport> {
  checkValueOptions(options);
  const output = await openPlainArrow(options.output);
  const bytes = new FileBytes(output);
  try {
    const { schema } = output;
    const run = readStoredRun(options.output, schema.metadata);
    const made = withStoredOptions(run, options);
    checkEmit(run.emit, run.layout, made);
    const { column, columns, classAxis, binary, pad, classNames } = made;
    const { nullLogit, allowMissingEos } = made;
    const open = (choice: Pick<StoredRun, "column" | "columns">) =>
      openLogits(options.input, {
        ...choice,
        classAxis,
        binary,
        pad,
        keep: [],
        ownNames: [],
        inputs: inputsOf(run.emit, made),
        classNames,
        partitions: run.partitions,
        nullLogit,
        allowMissingEos,
        classes: run.classes,
        signal: hooks.signal,
      });
    const logits = await open({ column, columns }).catch((error) => {
      // The same logits may have another name in a copy, or none in an .npy file.
      const isNamed = (options.column ?? options.columns) !== undefined;
      if (isNamed || !(error instanceof LogitsColumnError)) throw error;
      return open({}).catch(() => {
        throw error;
      });
    });
    try {
      const found = { run, output, bytes, logits };
      const report = await interpretingWith(
        options.output,
        "results",
        hooks.onProgress,
        (onProgress) => compare(options, { ...hooks, onProgress }, found),
      );
      await checkUnchanged(output.source);
      await checkUnchanged(logits.source);
      return report;
    } finally {
      logits.close();
    }
  } finally {
    await bytes.close();
  }
}

interface OpenFiles {
  run: StoredRun;
  output: ArrowContainer;
  bytes: FileBytes;
  logits: LogitsFile;
}

async function compare(
  options: ValueOptions,
  { signal, onProgress }: VerifyHooks,
  { run, output, bytes, logits }: OpenFiles,
): Promise<ValueReport> {
  const { inputs } = logits;
  const rows = run.rowEnd - run.rowStart;
  const { rows: asked, seed = 0, tolerance = 1 } = options;
  const findings = new Findings();
  const axes = axesOf(logits);
  findings.nameOfRow = (row) => nameOfRow(axes, row);
  findings.rowOf = (row) => indexOfRow(axes, row)[0] as number;
  findMismatches(run, logits, findings);
  if (!findings.none) return reportOf(rows, findings, null, []);

  const { fields } = output.schema;
  const expected = expectedColumns(run, inputs);
  const columns = findColumns(fields, expected, findings);
  const others = otherColumns(fields, expected, run, findings);
  const index = findIndexColumns(fields, run, findings);
  if (!index) return reportOf(rows, findings, null, others);

  const input = new InputRows(logits);
  const truth = new RowTruth({ ...run, inputs });
  const isNullable = ({ stored }: FoundColumn) =>
    fields[stored.columns[0] as number]?.nullable;
  const nullable = columns.some(isNullable);
  const judge = new RowJudge({
    run,
    columns,
    nullable,
    truth,
    rows: input,
    tolerance,
    findings,
  });
  const chosen =
    asked === "all" || asked >= rows
      ? null
      : sampleRows(rows, asked, seed).map((row) => run.rowStart + row);
  const parts = columns.map(({ stored }) => stored);
  await judgeRows(chosen, {
    run,
    source: bytes,
    batches: placeBatches(output, { ...index, parts }),
    columns,
    chunkRows: chunkRowsOf(run, columns),
    input,
    keys: new RowKeys(axes, logits.rows),
    judge,
    findings,
    signal,
    onProgress: (done) => onProgress?.(done, chosen?.length ?? rows),
  });
  return reportOf(rows, findings, judge, others);
}

/** The input is another than that of the output. */
function findMismatches(
  run: StoredRun,
  found: LogitsFile,
  findings: Findings,
): void {
  for (const name of ["rows", "classes"] as const)
    if (run[name] !== found[name])
      findings.add(
        `metadata: expected softjac.${name} ${found[name]} as in ${found.path}, found ${run[name]}`,
      );
  const shape = found.leading.length > 1 ? found.leading.join() : "none";
  if ((run.rowShape?.join() ?? "none") !== shape)
    findings.add(
      `metadata: expected softjac.row_shape ${shape} as in ${found.path}, found ${run.rowShape?.join() ?? "none"}`,
    );
  const [stored = [], own] = [run.classNames, found.classNames];
  const k = stored.findIndex((name, k) => own && own[k] !== name);
  // Names that no column has were given by an option.
  if (k >= 0 && stored.some((name) => own?.includes(name)))
    findings.add(
      `metadata: expected class ${k} in softjac.class_names to be ${own?.[k]} as in ${found.path}, found ${stored?.[k]}`,
    );
}

function judgeRows(
  chosen: Float64Array | null,
  file: ComparedFile,
): Promise<void> {
  if (file.run.layout === "coo")
    return chosen
      ? judgeSampledCoordinates(file, chosen)
      : judgeAllCoordinates(file);
  return chosen ? judgeSampledRows(file, chosen) : judgeAllRows(file);
}

function reportOf(
  rows: number,
  findings: Findings,
  judge: RowJudge | null,
  notCompared: string[],
): ValueReport {
  const columns = (judge?.columns() ?? []).map((column) => ({
    ...column,
    row: column.row === null ? null : findings.rowOf(column.row),
  }));
  const laws = judge?.laws() ?? [];
  return {
    rows,
    rowsChecked: judge?.rowsChecked ?? 0,
    badRows: judge?.badRows ?? 0,
    columns,
    laws,
    notCompared,
    problems: findings.list,
    otherProblems: findings.others,
    ok: findings.none && [...columns, ...laws].every(({ ok }) => ok),
  };
}
