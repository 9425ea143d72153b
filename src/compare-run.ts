import { fstatSync } from "node:fs";
import type { Field } from "./arrow/field.js";
import { openCompressedComparison } from "./compressed/compressed-output.js";
import { type ArrowContainer, openArrow } from "./input/arrow-container.js";
import { openLogits } from "./input/open-logits.js";
import { DifferentByte } from "./io/put-bytes.js";
import { planJob } from "./job.js";
import { compressed } from "./open-output.js";
import {
  openOptionsOf,
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "./options.js";
import type { BlockPlace } from "./output/arrow-encode.js";
import type { PlacedBatch } from "./output/jacobian-file.js";
import type { PendingOutput } from "./output/output-target.js";
import { Crew } from "./pool/crew.js";
import { compute } from "./produce.js";
import { ReportBuilder } from "./report.js";
import {
  decodeRunMetadata,
  withStoredOptions,
} from "./results/run-metadata.js";
import type { RunHooks } from "./run.js";
import { VERSION } from "./version.js";

/** Result of comparing an output with a new run, byte by byte. */
export interface ByteComparison {
  /** Whether every byte was compared; false if another version of softjac wrote the file. */
  compared: boolean;
  /** First difference, or the reason why nothing was compared; null if all bytes are equal. */
  message: string | null;
}

/**
 * Repeats the run that made a file, and compares every byte with the file's in the place of writing it: row numbers,
 * kept columns, results and metadata. Takes the time of a run, or less.
 *
 * @param inputs the input file, and options in the place of those that the metadata states
 * @throws SoftjacError as run would
 */
export async function compareRun(
  path: string,
  inputs: Omit<RunOptions, "output">,
  hooks: RunHooks,
): Promise<ByteComparison> {
  const file = openArrow(path);
  try {
    const made = decodeRunMetadata(path, file.schema.metadata);
    const { version, source, rowStart, rowEnd } = made;
    if (version !== VERSION)
      return {
        compared: false,
        message: `bytes not compared: the output was written by version ${version}, this is ${VERSION}`,
      };
    if (file.format !== "arrow-file")
      return {
        compared: false,
        message:
          "bytes not compared: the output is a stream, and runs write files",
      };
    const resolved = resolveOptions({
      ...(withStoredOptions(made, inputs) as typeof inputs),
      forceDense: true,
      output: path,
    });
    const isPart = rowStart !== undefined && rowEnd !== undefined;
    const options = {
      ...resolved,
      source: source ?? resolved.source,
      partitions: made.partitions ?? [],
      part: isPart ? { rowStart, rowEnd } : null,
    };
    const difference = await firstDifference(file, options, hooks);
    return {
      compared: true,
      message: difference && `${path}: ${difference}`,
    };
  } finally {
    file.close();
  }
}

/** The first byte that a run would write otherwise, and where it stands. */
async function firstDifference(
  file: ArrowContainer,
  options: ResolvedOptions,
  hooks: RunHooks,
): Promise<string | null> {
  const logits = await openLogits(
    options.input,
    openOptionsOf(options, hooks.signal),
  );
  const report = new ReportBuilder(options.input, file.path);
  const batches: PlacedBatch[] = [];
  const job = planJob(options, logits, true);
  const crew = new Crew();
  const codec = options.compress ?? null;
  const output: PendingOutput = codec
    ? await openCompressedComparison(compressed(job, codec), file.fd)
    : comparison(file.fd);
  try {
    await compute(job, output, {
      ...hooks,
      crew,
      options,
      logits,
      report,
      onBatches: (placed) => batches.push(...placed),
    });
    await output.commit();
  } catch (error) {
    if (!(error instanceof DifferentByte)) throw error;
    const { position, expected, found } = error;
    const where = codec
      ? whereInBlocks(file.recordBatches, position)
      : whereInFile(file.schema.fields, batches, position);
    return `${where}: expected ${expected} at byte ${position}, found ${found ?? "the end of the file"}`;
  } finally {
    await crew.close();
    await output.discard();
    logits.close();
  }
  const bytes = fstatSync(file.fd).size;
  const expected = output.bytes?.() ?? report.finish("done").outputBytes;
  return bytes === expected
    ? null
    : `expected ${expected} bytes, found ${bytes}`;
}

/** In the place of an output: a file that must have what a run would write. */
function comparison(fd: number): PendingOutput {
  return {
    fd,
    compare: true,
    direct: -1,
    temporaryPath: "",
    wrote: () => {},
    commit: async () => {},
    discard: async () => {},
  };
}

/** Describes the position of a byte of an output: the record batch, the column, and the row or value. */
function whereInFile(
  fields: readonly Field[],
  batches: readonly PlacedBatch[],
  position: number,
): string {
  const n = batches.findIndex(
    ({ offset, bodyStart, bodyBytes }) =>
      position >= offset && position < bodyStart + bodyBytes,
  );
  const batch = batches[n];
  if (!batch) return whereInBlocks(batches, position);
  const { bodyStart, layout, shape } = batch;
  const place = position - bodyStart;
  const where = `record batch ${n}`;
  if (place < 0) return `${where}: its metadata`;
  const name = (k: number) => `column ${fields[k]?.name}`;
  const firstCopied = 1 + layout.positions.length;
  const first = firstCopied + shape.kept.length;
  for (const [k, { validity, offsets, values }] of [
    ...layout.results.entries(),
  ].reverse()) {
    const { items, width, list } = shape.results[
      k
    ] as (typeof shape.results)[number];
    if (place >= values) {
      const value = Math.floor((place - values) / width);
      const perRow = items / shape.rows;
      return list && Number.isInteger(perRow)
        ? `${where}: ${name(first + k)}, table row ${Math.floor(value / perRow)}, value ${value % perRow}`
        : `${where}: ${name(first + k)}, value ${value}`;
    }
    if (place >= Math.min(validity, offsets || validity))
      return `${where}: ${name(first + k)}, its validity or offsets`;
  }
  for (const [k, column] of [...layout.kept.entries()].reverse())
    if (place >= (column[0]?.validity ?? 0))
      return `${where}: ${name(firstCopied + k)}`;
  for (const [k, start] of [...layout.positions.entries()].reverse())
    if (place >= start)
      return `${where}: ${name(1 + k)}, table row ${Math.floor((place - start) / 4)}`;
  return `${where}: column row, table row ${Math.floor((place - layout.row) / 8)}`;
}

/** Describes a position if only the offsets of whole record batches are known. */
function whereInBlocks(
  batches: readonly BlockPlace[],
  position: number,
): string {
  const n = batches.findIndex(
    ({ offset, metadataBytes, bodyBytes }) =>
      position >= offset && position < offset + metadataBytes + bodyBytes,
  );
  if (n >= 0) return `record batch ${n}`;
  return position < (batches[0]?.offset ?? 0)
    ? "schema or dictionaries"
    : "footer";
}
