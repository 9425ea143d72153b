import { describeField } from "../arrow/field.js";
import { InputFormatError } from "../errors.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import { openPlainArrow } from "../input/compression/open-plain.js";
import { interpreting, interpretingEach } from "../input/interpreting.js";
import { nameOfKey } from "../results/row-axes.js";
import { readStoredRun, type StoredRun } from "../results/run-metadata.js";
import { FileBytes } from "./byte-source.js";
import type { Example } from "./example.js";
import { ExampleDecoder } from "./example-decoder.js";
import { type LabelChoice, type Labels, openLabels } from "./labels.js";
import { expectedColumns, indexNames } from "./output-columns.js";
import {
  type NumberSources,
  neededColumns,
  numberSources,
} from "./reading-plan.js";
import {
  openStoredRows,
  type StoredRow,
  type StoredRows,
} from "./stored-rows.js";

/** An open file of results: a whole output, or a shard of a dataset. */
export interface ResultsPart {
  path: string;
  bytes: number;
  run: StoredRun;
  /** Lengths of the axes of the positions; empty for rows of one axis. */
  inner: readonly number[];
  sources: NumberSources;
  /** Version that wrote it, and name of its input, as the metadata says. */
  softjac: string | null;
  source: string | null;
  /** Columns that are not results. */
  copiedColumns: CopiedColumn[];
  file: ArrowContainer;
  /** Note for the user about labels. */
  note: string | null;
  /** Yields all rows in order, some at a time, in bounded memory. Rows are decoded, and may throw, while they are iterated. */
  scan(): AsyncGenerator<Iterable<Example>>;
  /** Returns one row of the logits by its key (src/results/row-axes.ts); null: it is not in the file. */
  find(row: number): Promise<Example | null>;
  close(): Promise<void>;
}

export interface CopiedColumn {
  name: string;
  type: string;
  /** Index among the columns of the file. */
  place: number;
}

/**
 * Opens a file that `run` wrote. Reads only the columns that the numbers need.
 * @throws InputMissingError, InputFormatError, IoError; UsageError for a missing label
 */
export function openResultsPart(
  path: string,
  choice: LabelChoice = {},
): Promise<ResultsPart> {
  return interpreting(path, "structure", () => open(path, choice));
}

async function open(path: string, choice: LabelChoice): Promise<ResultsPart> {
  const file = await openPlainArrow(path);
  const bytes = new FileBytes(file);
  let labels: Labels | null = null;
  const close = async () => {
    labels?.close();
    await bytes.close();
  };
  try {
    const { fields, metadata } = file.schema;
    const run = readStoredRun(path, metadata);
    const expected = expectedColumns(run, []);
    const sources = numberSources(run, expected);
    const own = [
      ...indexNames(run.rowShape),
      ...expected.map(({ name }) => name),
    ];
    const copiedColumns = fields.flatMap((field, place) =>
      own.includes(field.name)
        ? []
        : [{ name: field.name, type: describeField(field), place }],
    );
    const reject = (where: string) => (text: string) => {
      throw new InputFormatError(path, where, text);
    };
    const stored = openStoredRows(file, bytes, {
      run,
      expected: neededColumns(expected, sources),
      onProblem: reject("schema"),
      onDifference: (row, text) =>
        reject(nameOfKey(run.rowShape?.slice(1) ?? [], row))(text),
    }) as StoredRows;
    const { inner, batches } = stored.table;
    const { label } = choice;
    if (label !== undefined)
      labels = openLabels(file, { ...choice, label }, copiedColumns, run);
    const labelOf = ({ batch, index }: StoredRow) =>
      labels?.at((batches[batch]?.start ?? 0) + index) ?? Number.NaN;
    const decoder = new ExampleDecoder(path, run, stored, sources, labelOf);
    const said = new Map(metadata);
    return {
      path,
      bytes: file.bytes,
      run,
      inner,
      sources,
      softjac: said.get("softjac.version") ?? null,
      source: said.get("softjac.source") ?? null,
      copiedColumns,
      file,
      note: labels?.note ?? null,
      scan: () => interpretingEach(path, "rows", decoded(stored, decoder)),
      find: (row) =>
        interpreting(path, nameOfKey(inner, row), async () => {
          const found = await stored.find(row);
          return found && decoder.decode(found);
        }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function* decoded(
  stored: StoredRows,
  decoder: ExampleDecoder,
): AsyncGenerator<Iterable<Example>> {
  for await (const rows of stored.scan()) yield examplesOf(rows, decoder);
}

function* examplesOf(
  rows: Iterable<StoredRow>,
  decoder: ExampleDecoder,
): Generator<Example> {
  for (const row of rows) yield decoder.decode(row);
}
