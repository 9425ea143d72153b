import { describeField } from "../arrow/field.js";
import { InputFormatError } from "../errors.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import { openPlainArrow } from "../input/compression/open-plain.js";
import { interpreting, interpretingEach } from "../input/interpreting.js";
import { nameOfKey } from "../results/row-axes.js";
import { readStoredRun, type StoredRun } from "../results/run-metadata.js";
import { chunkRowsOf } from "./chunk-rows.js";
import type { Example, ExampleChunk } from "./example.js";
import { coordinateChunks, tableChunks } from "./example-chunks.js";
import { ExampleDecoder } from "./example-decoder.js";
import { placeBatches } from "./file-batches.js";
import { FileBytes } from "./file-bytes.js";
import { findExample } from "./find-example.js";
import { Findings } from "./findings.js";
import { type LabelChoice, type Labels, openLabels } from "./labels.js";
import {
  expectedColumns,
  findColumns,
  findIndexColumns,
  indexNames,
} from "./output-columns.js";
import {
  type NumberSources,
  neededColumns,
  numberSources,
} from "./reading-plan.js";

/** One file of results, opened: a whole output, or a part of a dataset. */
export interface ResultsPart {
  path: string;
  bytes: number;
  run: StoredRun;
  /** Lengths of the axes of the positions; empty for rows of one axis. */
  inner: readonly number[];
  sources: NumberSources;
  /** What wrote it, and of which input: as the metadata says. */
  softjac: string | null;
  source: string | null;
  /** Columns that are no results. */
  copiedColumns: { name: string; type: string; place: number }[];
  tableRows: number;
  file: ArrowContainer;
  /** Note for the user about labels. */
  note: string | null;
  /** All of it, from front to back; bounded memory. */
  chunks(): AsyncGenerator<ExampleChunk>;
  /** One row of the logits by its key (src/results/row-axes.ts); null: it is not in the file. */
  find(row: number): Promise<Example | null>;
  close(): Promise<void>;
}

/**
 * Opens a file that `run` has written. Of its columns only those are read that the numbers need.
 * @throws InputMissingError, InputFormatError, IoError; UsageError for a label that is not there
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
  try {
    const { fields, metadata } = file.schema;
    const run = readStoredRun(path, metadata);
    const expected = expectedColumns(run, []);
    const sources = numberSources(run, expected);
    const own = new Set([
      ...indexNames(run.rowShape),
      ...expected.map(({ name }) => name),
    ]);
    const copiedColumns = fields.flatMap((field, place) =>
      own.has(field.name)
        ? []
        : [{ name: field.name, type: describeField(field), place }],
    );
    const findings = new Findings();
    const columns = findColumns(
      fields,
      neededColumns(expected, sources),
      findings,
    );
    const index = findIndexColumns(fields, run, findings);
    if (!index)
      throw new InputFormatError(path, "schema", findings.list[0] ?? "");
    const [wrong] = findings.list;
    if (wrong) throw new InputFormatError(path, "schema", wrong);
    const parts = columns.map(({ stored }) => stored);
    const batches = placeBatches(file, { ...index, parts });
    const { label } = choice;
    if (label !== undefined)
      labels = openLabels(file, { ...choice, label }, own, run.classNames);
    const decoder = new ExampleDecoder(path, run, sources, columns, (b, k) =>
      labels ? labels.at((batches[b]?.start ?? 0) + k) : Number.NaN,
    );
    const said = new Map(metadata);
    const reading = {
      source: bytes,
      batches,
      columns,
      run,
      chunkRows: chunkRowsOf(run, columns),
      decoder,
    };
    return {
      path,
      bytes: file.bytes,
      run,
      inner: index.inner,
      sources,
      softjac: said.get("softjac.version") ?? null,
      source: said.get("softjac.source") ?? null,
      copiedColumns,
      tableRows: batches.reduce((sum, { count }) => sum + count, 0),
      file,
      note: labels?.note ?? null,
      chunks: () =>
        interpretingEach(
          path,
          "rows",
          run.layout === "coo"
            ? coordinateChunks(reading)
            : tableChunks(reading),
        ),
      find: (row) =>
        interpreting(path, nameOfKey(index.inner, row), () =>
          findExample(reading, row),
        ),
      async close() {
        labels?.close();
        await bytes.close();
      },
    };
  } catch (error) {
    labels?.close();
    await bytes.close();
    throw error;
  }
}
