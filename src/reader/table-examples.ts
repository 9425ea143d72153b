import { RowMissingError } from "../errors.js";
import { indexOfKey } from "../results/row-axes.js";
import type { ByteSource } from "./byte-source.js";
import { EntriesBlock } from "./entries-block.js";
import type { ExampleBlock } from "./example-block.js";
import {
  type BlockForm,
  type ExampleParts,
  isNullExample,
} from "./example-parts.js";
import type { BatchExamples, Examples } from "./examples.js";
import { factoredRows } from "./factored-rows.js";
import type { FileBatch } from "./file-batches.js";
import { listEntries } from "./list-entries.js";
import { listRows } from "./list-rows.js";
import { ReadAhead } from "./read-ahead.js";
import { RowIndex } from "./row-index.js";
import { RowsBlock } from "./rows-block.js";

/** The examples of a file that has one table row for each: every layout but coo. */
export class TableExamples implements Examples {
  readonly #path: string;
  readonly #form: BlockForm;
  readonly #source: ByteSource;
  readonly #batches: readonly FileBatch[];
  readonly #index: RowIndex;

  constructor(
    path: string,
    form: BlockForm,
    source: ByteSource,
    batches: readonly FileBatch[],
  ) {
    this.#path = path;
    this.#form = form;
    this.#source = source;
    this.#batches = batches;
    this.#index = new RowIndex(source, batches, { strict: true });
  }

  async find(row: number): Promise<ExampleBlock | null> {
    const found = await this.#index.lowerBound(row);
    if (found?.row !== row) throw await this.#missing(row);
    const { parts } = this.#batches[found.batch] as FileBatch;
    return this.#example({ source: this.#source, parts, k: found.k, row });
  }

  async *batches(): AsyncGenerator<BatchExamples> {
    for (const [n, { count, parts }] of this.#batches.entries()) {
      // A block's parts in the dense tensor are far from each other: what stands between them is not read.
      const source =
        this.#form.layout === "dense"
          ? this.#source
          : new ReadAhead(this.#source);
      // Its neighbour's end is known by now, and the two are checked against each other.
      const rows = await this.#index.numbers(n, 0, count);
      yield {
        rows,
        example: (k) =>
          this.#example({ source, parts, k, row: rows[k] as number }),
      };
    }
  }

  async #example(example: ExampleParts): Promise<ExampleBlock | null> {
    if (await isNullExample(example)) return null;
    const form = this.#form;
    if (form.layout === "csr")
      return new EntriesBlock(await listEntries(form, example));
    const rows = form.layout === "factored" ? factoredRows : listRows;
    return new RowsBlock(await rows(form, example));
  }

  async #missing(row: number): Promise<RowMissingError> {
    const batches = this.#batches;
    const { inner } = this.#form;
    const last = batches.length - 1;
    const count = batches.reduce((sum, batch) => sum + batch.count, 0);
    const range =
      count === 0
        ? "no examples"
        : inner.length > 0
          ? `${count} examples`
          : `${count} examples of rows ${(await this.#index.ends(0)).first} to ${(await this.#index.ends(last)).last}`;
    return new RowMissingError(
      this.#path,
      indexOfKey(inner, row),
      `the file has ${range}, but not this row`,
    );
  }
}
