import { DamagedColumn, type KeptBuffers } from "../arrow/kept-nodes.js";
import { InputFormatError } from "../errors.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import type { ColumnSpan } from "../input/column-spans.js";
import { type KeptColumn, keptColumn } from "../input/kept-columns.js";
import { placeColumn } from "../input/record-batch.js";
import { recordBatches } from "../input/record-batches.js";
import { dictionaryTexts } from "./dictionary-texts.js";
import { valueText } from "./value-text.js";

/** Reads single values of kept columns, as text. */
export class KeptValues {
  readonly #file: ArrowContainer;
  readonly #columns: {
    column: KeptColumn;
    batches: KeptBuffers[];
    /** The n-th value of its dictionary, where it has one. */
    textOf: ((n: number) => string | null) | null;
  }[];

  /** @param places of the columns among the file's. @throws InputFormatError, InputUnsupportedError */
  constructor(file: ArrowContainer, places: readonly number[]) {
    this.#file = file;
    const kept = places.map((place) =>
      keptColumn(
        file.path,
        file.schema.fields[place] as (typeof file.schema.fields)[number],
        place,
      ),
    );
    const batches = [...recordBatches(file)].filter(
      ({ batch }) => batch.rows > 0,
    );
    this.#columns = kept.map((column) => ({
      column,
      batches: batches.map(({ context, batch, columns }) => {
        const span = columns[column.place] as ColumnSpan;
        return placeColumn(context, batch, span);
      }),
      textOf: column.field.dictionary
        ? dictionaryTexts(file, column.field)
        : null,
    }));
  }

  /** The values of row `k` of a record batch (of those that have rows); null: null. @throws InputFormatError, IoError */
  read(batch: number, k: number): (string | null)[] {
    return this.#columns.map(({ column, batches, textOf }) => {
      try {
        const buffers = batches[batch] as KeptBuffers;
        const text = valueText(this.#file, column, buffers, k);
        return text === null || !textOf ? text : textOf(Number(text));
      } catch (error) {
        if (!(error instanceof DamagedColumn)) throw error;
        throw new InputFormatError(this.#file.path, error.where, error.message);
      }
    });
  }
}
