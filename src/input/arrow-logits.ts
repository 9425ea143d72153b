import { InputFormatError } from "../errors.js";
import type { ArrowContainer } from "./arrow-container.js";
import { placeDictionaries } from "./dictionaries.js";
import { selectKept } from "./kept-columns.js";
import { selectLogits } from "./logits-column.js";
import type { InputColumn, LogitsFile, OpenOptions } from "./logits-file.js";
import { readInput } from "./read-input.js";
import { type LogitsBatch, placeKept, placeValues } from "./record-batch.js";
import { recordBatches } from "./record-batches.js";
import { checkValues, selectValues, type ValueColumn } from "./value-column.js";

/**
 * Finds the logits and all else that is asked for in an Arrow container, and checks every batch's structure.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError
 */
export function locateLogits(
  file: ArrowContainer,
  options: OpenOptions,
): LogitsFile {
  const { path, fd, bytes, schema } = file;
  const { fields } = schema;
  const logits = selectLogits(path, fields, options);
  const { kept, dictionaries } = placeDictionaries(
    file,
    selectKept(path, fields, options.keep, options.ownNames),
  );
  const inputs = options.inputs.map(({ option, name }) =>
    selectValues(path, fields, option, name),
  );
  const width = logits.dtype === "float32" ? 4 : 8;
  const sources = [{ ...logits, width, values: logits.classes }, ...inputs];

  const batches: LogitsBatch[] = [];
  let rowStart = 0;
  for (const { context, batch, columns } of recordBatches(file)) {
    batches.push({
      rowStart,
      rowEnd: rowStart + batch.rows,
      sources: sources.map((source) =>
        placeValues(context, batch, columns, source),
      ),
      kept: kept.map((column) => placeKept(context, batch, columns, column)),
    });
    rowStart += batch.rows;
  }

  const classes = logits.classes ?? listLength(file, batches, 0);
  return {
    path,
    fd,
    bytes,
    rows: rowStart,
    classes,
    dtype: logits.dtype,
    form: logits.form,
    column: logits.name,
    inputs: inputs.map((input, n) =>
      inputColumn(file, input, batches, n + 1, classes),
    ),
    batches,
    kept,
    dictionaries,
    close: () => file.close(),
  };
}

function inputColumn(
  file: ArrowContainer,
  input: ValueColumn,
  batches: LogitsBatch[],
  source: number,
  classes: number,
): InputColumn {
  const values = input.values ?? listLength(file, batches, source);
  checkValues(file.path, input, values, classes);
  const { option, name, form, type, width } = input;
  return { option, name, form, type, width, values };
}

/** The length of a source's first list: every other must be the same, which the workers check where they read. */
function listLength(
  { path, fd }: ArrowContainer,
  batches: LogitsBatch[],
  source: number,
): number {
  const first = batches.find((batch) => batch.rowEnd > batch.rowStart);
  if (!first)
    throw new InputFormatError(
      path,
      "rows",
      "expected at least one list, to know the number of classes, found no rows: use a fixed-size list for files that may be empty",
    );
  const { offsets, valueCount } = first.sources[
    source
  ] as LogitsBatch["sources"][number];
  const pair = new Int32Array(2);
  readInput({ path, fd }, new Uint8Array(pair.buffer), offsets);
  const values = (pair[1] as number) - (pair[0] as number);
  if (values < 1 || values > valueCount)
    throw new InputFormatError(
      path,
      "row 0",
      `expected 1 to ${valueCount} ${source === 0 ? "logits" : "values"} as its batch has, found ${values}`,
    );
  return values;
}
