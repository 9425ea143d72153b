import { describeField } from "../arrow/field.js";
import { ReadWindow, viewOf } from "../arrow/read-window.js";
import { UsageError } from "../errors.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import { type DecodedNumbers, decodeSource } from "../input/decode-sources.js";
import { decodedColumn } from "../input/number-column.js";
import { inputReader } from "../input/read-input.js";
import { isClassColumn } from "../input/value-column.js";

/** A copied column of true classes, and the names of the classes if they are given. */
export interface LabelChoice {
  label?: string | undefined;
  classNames?: readonly string[] | undefined;
}

/** The class numbers of a copied column: of a table row its label, NaN for a null. */
export interface Labels extends DecodedNumbers {
  at(tableRow: number): number;
}

/**
 * Decodes the labels of a file of results to a temporary file.
 * @param own names of the columns that are not copied
 * @param stored names of the classes that the file states
 * @throws UsageError for another column; InputFormatError, InputUnsupportedError, LogitsColumnError, IoError
 */
export function openLabels(
  file: ArrowContainer,
  { label, classNames }: LabelChoice & { label: string },
  own: ReadonlySet<string>,
  stored: readonly string[] | undefined,
): Labels {
  const { fields } = file.schema;
  const place = fields.findIndex(
    ({ name }) => name === label && !own.has(label),
  );
  const field = fields[place];
  if (!field || !isClassColumn(field)) {
    const kept = fields.filter(({ name }) => !own.has(name));
    const named = kept.map((field) => `${field.name}: ${describeField(field)}`);
    throw new UsageError(
      `label: expected a copied column of numbers or names of classes in ${file.path}, found ${field ? `${label}: ${describeField(field)}` : `no ${label} among ${named.join(", ") || "none (softjac run --keep copies columns of the input)"}`}`,
      "label",
    );
  }
  const source = {
    ...decodedColumn(label, [place], 1),
    classNames: { given: classNames, own: stored },
    isMargin: false,
    masksNulls: false,
  };
  const decoded = decodeSource(file, source, {});
  const [start = 0] = decoded.starts;
  const temporary = { path: file.path, fd: decoded.fd, present: null };
  const window = new ReadWindow(inputReader(temporary));
  return {
    ...decoded,
    at(row) {
      const place = start + 8 * row;
      const bytes = window.bytes(place, 8, decoded.bytes);
      return viewOf(bytes).getFloat64(0, true);
    },
  };
}
