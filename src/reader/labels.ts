import { describeField } from "../arrow/field.js";
import { ReadWindow, viewOf } from "../arrow/read-window.js";
import { UsageError } from "../errors.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import { type DecodedNumbers, decodeSource } from "../input/decode-sources.js";
import { decodedColumn } from "../input/number-column.js";
import { inputReader } from "../input/read-input.js";
import { isClassColumn } from "../input/value-column.js";
import type { StoredRun } from "../results/run-metadata.js";
import type { CopiedColumn } from "./results-part.js";

/** A copied column of true classes, and the names of the classes if they are given. */
export interface LabelChoice {
  label?: string | undefined;
  classNames?: readonly string[] | undefined;
}

/** The class numbers of a copied column. */
export interface Labels extends DecodedNumbers {
  /** Returns the label of a table row of the file; NaN: null. */
  at(tableRow: number): number;
}

/**
 * Decodes the labels of a file of results to a temporary file.
 * @throws UsageError for another column; InputFormatError, InputUnsupportedError, LogitsColumnError, IoError
 */
export function openLabels(
  file: ArrowContainer,
  { label, classNames }: LabelChoice & { label: string },
  copied: readonly CopiedColumn[],
  { classNames: stored }: Pick<StoredRun, "classNames">,
): Labels {
  const { place = -1 } = copied.find(({ name }) => name === label) ?? {};
  const field = file.schema.fields[place];
  if (!field || !isClassColumn(field)) {
    const named = copied.map(({ name, type }) => `${name}: ${type}`);
    throw new UsageError(
      `label: expected a copied column of numbers or names of classes in ${file.path}, found ${field ? `${label}: ${describeField(field)}` : `no ${label} among ${named.join(", ") || "none (softjac run --keep copies columns of the input)"}`}`,
      "label",
    );
  }
  const source = {
    ...decodedColumn(label, [place], 1),
    classNames: { given: classNames, own: stored },
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
