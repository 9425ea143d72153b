import { describeField } from "../arrow/field.js";
import { ReadWindow, viewOf } from "../arrow/read-window.js";
import { UsageError } from "../errors.js";
import { decodeSource } from "../input/decode-sources.js";
import { interpreting, interpretingEach } from "../input/interpreting.js";
import { decodedColumn } from "../input/number-column.js";
import { inputReader } from "../input/read-input.js";
import type { ArrowContainer } from "../input/record-batches.js";
import { isClassColumn } from "../input/value-column.js";
import { TemporaryFiles } from "../io/anonymous-file.js";
import { nameOfKey } from "../results/row-axes.js";
import { readStoredRun, type StoredRun } from "../results/run-metadata.js";
import { openFileBytes } from "./byte-source.js";
import {
  ExampleDecoder,
  neededColumns,
  numberSources,
} from "./example-decoder.js";
import { openOutputRows, readerOf } from "./open-jacobian.js";
import { expectedColumns, resultNames } from "./output-columns.js";
import type { BlockResult } from "./read-block.js";
import type { StoredRow } from "./stored-rows.js";

/** Copied column of true classes, and class names from the options. */
export interface LabelChoice {
  label?: string | undefined;
  classNames?: readonly string[] | undefined;
}

/** Open file of results: a whole output, or a shard of a dataset. */
export type ResultsFile = Awaited<ReturnType<typeof openResultsFile>>;

/** Opens a file that `run` wrote. Reads only columns that are sources of numbers. */
export function openResultsFile(path: string, choice: LabelChoice = {}) {
  return interpreting(path, "structure", async () => {
    const bytes = await openFileBytes(path);
    const { file } = bytes;
    const temporary = new TemporaryFiles();
    const close = async () => {
      temporary.close();
      await bytes.close();
    };
    try {
      const { fields, metadata } = file.schema;
      const run = readStoredRun(path, metadata);
      const expected = expectedColumns(run, []);
      const sources = numberSources(run, expected);
      const results = resultNames(run.rowShape, expected);
      const copiedColumns = fields.flatMap((field, columnIndex) =>
        results.includes(field.name)
          ? []
          : [{ name: field.name, type: describeField(field), columnIndex }],
      );
      const needed = neededColumns(run, expected, sources);
      const stored = openOutputRows(bytes, run, needed);
      const { inner, batches } = stored.table;
      const labels = openLabels(file, choice, copiedColumns, run, temporary);
      const labelOf = ({ batch, index }: StoredRow) =>
        labels?.at((batches[batch]?.start ?? 0) + index) ?? Number.NaN;
      const decoder = new ExampleDecoder(path, run, stored, sources, labelOf);
      return {
        path,
        bytes: file.bytes,
        run,
        /** Lengths of the axes of the positions; empty for rows of one axis. */
        inner,
        sources,
        /** Columns that are not results, and their indices in the file. */
        copiedColumns,
        file,
        /** Note for the user about labels. */
        note: labels?.note ?? null,
        /** Yields all rows in order, in chunks of bounded memory. */
        scan: () => interpretingEach(path, "rows", stored.scan()),
        decode: (row: StoredRow) => decoder.decode(row),
        /** Returns the row with a key (src/results/row-axes.ts); null if the file does not have it. */
        find: (row: number) =>
          interpreting(path, nameOfKey(inner, row), async () => {
            const storedRow = await stored.find(row);
            return storedRow && decoder.decode(storedRow);
          }),
        /** Opens a reader of stored blocks, which is closed with the file. */
        openBlocks: (result: BlockResult) =>
          interpreting(path, "structure", () => readerOf(bytes, result)),
        close,
      };
    } catch (error) {
      await close();
      throw error;
    }
  });
}

/** Decodes the labels of a file of results to a temporary file; returns null if no column is chosen. */
function openLabels(
  file: ArrowContainer,
  { label, classNames }: LabelChoice,
  copied: readonly { name: string; type: string; columnIndex: number }[],
  { classNames: stored, classCodes }: StoredRun,
  temporary: TemporaryFiles,
) {
  if (label === undefined) return null;
  const { columnIndex = -1 } = copied.find(({ name }) => name === label) ?? {};
  const field = file.schema.fields[columnIndex];
  if (!field || !isClassColumn(field)) {
    const named = copied.map(({ name, type }) => `${name}: ${type}`);
    throw new UsageError(
      `label: expected a copied column of numbers or names of classes in ${file.path}, found ${field ? `${label}: ${describeField(field)}` : `no ${label} among ${named.join(", ") || "none (softjac run --keep copies columns of the input)"}`}`,
    );
  }
  const column = {
    ...decodedColumn(label, [columnIndex], 1),
    classNames: classNames
      ? { given: classNames, fromFile: null }
      : { given: undefined, fromFile: stored, areCodes: classCodes },
  };
  const decoded = decodeSource(file, column, { temporary });
  const [start = 0] = decoded.starts;
  const source = { path: file.path, fd: decoded.fd, present: null };
  const window = new ReadWindow(inputReader(source));
  return {
    ...decoded,
    /** Returns the label of a table row of the file; NaN for a null. */
    at(row: number): number {
      const offset = start + 8 * row;
      const bytes = window.bytes(offset, 8, decoded.bytes);
      return viewOf(bytes).getFloat64(0, true);
    },
  };
}
