import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { InputFormatError, UsageError } from "../errors.js";
import { openArrow } from "../input/arrow-container.js";
import { isText } from "../input/decoded-rows.js";
import { interpreting } from "../input/interpreting.js";
import { inputReader } from "../input/read-input.js";
import { recordBatches } from "../input/record-batches.js";
import { SumsSpace } from "../kernels/sums.js";
import type { Matrix } from "../model/coefficients.js";
import { type Command, optionsOf } from "../options/options-table.js";
import { sumsModule } from "../tasks/kernel-memory.js";
import { bytesColumn, writeTable } from "./arrow-table.js";
import { GroupTable, type KeyColumn, type KeyValue } from "./group-table.js";
import type { SumSource } from "./options.js";
import { commonKeys, keyType, type RowShape } from "./row-shape.js";
import type { RowSums, SummedInput, SumRequest } from "./sum-inputs.js";

/** Commands whose sums can be merged. */
export type PartialCommand = "reduce" | "effects";

const KEY = "softjac.partial";
/** Metadata key of the SHA-256 of the head and the states: most damaged states would be valid sums. */
const SHA256_KEY = `${KEY}.sha256`;
const VERSION = 4;

/** Metadata of a file of partial sums, an Arrow file of one column: the bytes of the states of each pass, one after the other. */
interface Head {
  version: number;
  command: PartialCommand;
  /** Options that change bytes of the result; matrices have the names of their options. */
  options: Record<string, unknown>;
  matrices: Record<string, { rows: number; columns: number; values: string }>;
  shape: RowShape;
  keys: { name: string; field: KeyColumn["field"]; isText: boolean }[];
  /** SHA-256 of all above: partials with another one cannot be merged. */
  fingerprint: string;
  /** Paths as the user gave them, and hashes of their absolute paths and sizes, which tell inputs apart. */
  inputs: readonly SummedInput[];
  rows: number;
  badRows: number;
  firstBadRow: RowSums["firstBadRow"];
  /** Keys of each group, in the order of the states. */
  groups: KeyValue[][];
}

/** Writes sums for `mergePartials`; returns the size of the file in bytes. @throws as writeTable */
export async function writePartial(
  command: PartialCommand,
  given: object,
  matrices: ReadonlyMap<string, Matrix>,
  sums: RowSums,
  {
    output,
    ...commit
  }: {
    output: string;
    force: boolean;
    sync: boolean;
  },
): Promise<number> {
  const { shape, keys, spaces, passes, rows, badRows, firstBadRow } = sums;
  const options = storedOptions(command, given);
  const content = {
    ...{ version: VERSION, command, options },
    matrices: Object.fromEntries(
      [...matrices].map(([name, { values, ...size }]) => [
        name,
        {
          ...size,
          values: Buffer.from(
            ...([values.buffer, values.byteOffset, values.byteLength] as const),
          ).toString("base64"),
        },
      ]),
    ),
    shape,
    keys: keys.map(({ name, field }) => ({
      ...{ name, field, isText: isText(field) },
    })),
  };
  // Inputs of one command may differ in the same way, such as in the types of strings.
  const types = keys.map(({ name, field }) => [name, keyType(field)]);
  const identity = { ...content, keys: types };
  const sorted = sums.groups.sorted(keys);
  const head: Head = {
    ...content,
    fingerprint: sha256(JSON.stringify(identity)),
    inputs: sums.inputs.map((input) =>
      typeof input === "string" ? identified(input) : input,
    ),
    ...{ rows, badRows, firstBadRow },
    groups: sorted.map(({ keys }) => keys),
  };
  const states = Buffer.concat(
    spaces.flatMap((space, n) =>
      passes[n]?.isGrouped
        ? sorted.map(({ group }) => space.take(group, 1))
        : [space.take(0, 1)],
    ),
  );
  const text = JSON.stringify(head);
  return writeTable(
    output,
    [bytesColumn("states", states)],
    { [KEY]: text, [SHA256_KEY]: sha256(text, states) },
    commit,
  );
}

/** Returns an input and its id; all ids of standard input are "". */
function identified(path: string): SummedInput {
  if (path === "-") return { path, id: "" };
  const { size } = statSync(path);
  return { path, id: sha256(`${resolve(path)}\n${size}`) };
}

/** Returns the given options that change bytes; paths of matrices become the names of their options. */
function storedOptions(
  command: Command,
  given: object,
): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const { name, affects, file } of optionsOf(command)) {
    const value = (given as Record<string, unknown>)[name];
    if (affects === "bytes" && value !== undefined)
      options[name] = file === "read" ? name : value;
  }
  return options;
}

function sha256(...contents: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const content of contents) hash.update(content);
  return hash.digest("hex");
}

/** Partial sums of one file. */
interface Partial {
  path: string;
  head: Head;
  states: Uint8Array;
}

/** Partials that belong together: their command and options, and a source of their sums. */
export interface MergedPartials extends SumSource {
  command: PartialCommand;
  options: Record<string, unknown>;
}

/**
 * Reads partials for merging.
 * @throws InputFormatError for a file without partial sums; UsageError if they are of other options, or of the same input
 */
export function readPartials(paths: readonly string[]): MergedPartials {
  const partials = paths.map((path) =>
    interpreting(path, "partial sums", () => readPartial(path)),
  );
  const [first] = partials as [Partial];
  const owners = new Map<string, string>();
  for (const { path, head } of partials) {
    if (head.fingerprint !== first.head.fingerprint)
      throw new UsageError(
        `${path}: its options, features or coefficients differ from those of ${first.path}; merge partial sums of one command`,
        "inputs",
      );
    for (const { path: input, id } of head.inputs) {
      const owner = owners.get(id);
      if (owner !== undefined && id !== "")
        throw new UsageError(
          `${path}: ${input} is in ${owner} too, and its rows would count twice`,
          "inputs",
        );
      owners.set(id, path);
    }
  }
  const { command, options, matrices } = first.head;
  return {
    command,
    options,
    async readMatrix(name) {
      const stored = matrices[name];
      if (!stored)
        throw new InputFormatError(first.path, KEY, `it has no ${name}`);
      const bytes = Buffer.from(stored.values, "base64");
      const values = new Float64Array(new Uint8Array(bytes).buffer);
      return { rows: stored.rows, columns: stored.columns, values };
    },
    async sum(request) {
      return interpreting(first.path, "partial sums", () =>
        merged(partials, request),
      );
    },
  };
}

async function merged(
  partials: readonly Partial[],
  { command, plan, intercept, coefficients }: SumRequest,
): Promise<RowSums> {
  const [{ head }] = partials as [Partial];
  const { shape } = head;
  coefficients?.check(shape.features, intercept);
  const passes = await plan(shape);
  const module = sumsModule(`softjac ${command}`);
  const keys = partials.reduce(
    (keys, { head }) => commonKeys(keys, head.keys),
    head.keys.map(
      ({ isText, ...key }): KeyColumn => ({
        ...key,
        vocabulary: isText ? new Map() : null,
      }),
    ),
  );
  const sums: RowSums = {
    ...{ shape, passes, keys, groups: new GroupTable() },
    spaces: passes.map(({ spec }) => new SumsSpace(module, spec)),
    ...{ rows: 0, badRows: 0, firstBadRow: null, threads: 0 },
    inputs: partials.flatMap(({ head }) => head.inputs),
  };
  if (keys.length === 0) sums.groups.indexOf(new Float64Array(0));
  for (const space of sums.spaces) space.ensureGroups(sums.groups.size);
  for (const { path, head, states } of partials) {
    const groups = head.groups.map((values) =>
      sums.groups.indexOf(
        Float64Array.from(values, (value, k) => keyOf(value, keys[k])),
      ),
    );
    const parts = sums.spaces.map((space, n) => ({
      space,
      groups: passes[n]?.isGrouped ? groups : [0],
    }));
    const expected = parts.reduce(
      (sum, { space, groups }) => sum + space.groupBytes * groups.length,
      0,
    );
    if (states.length !== expected)
      throw new InputFormatError(
        path,
        "partial sums",
        `expected ${expected} bytes of ${groups.length} groups, found ${states.length}`,
      );
    let start = 0;
    for (const { space, groups } of parts) {
      const end = start + space.groupBytes * groups.length;
      space.mergeAll(groups, states.subarray(start, end));
      start = end;
    }
    sums.rows += head.rows;
    sums.badRows += head.badRows;
    sums.firstBadRow ??= head.firstBadRow;
  }
  return sums;
}

/** Returns the number of a key, NaN for null. */
function keyOf(value: KeyValue, column: KeyColumn | undefined): number {
  if (value === null) return Number.NaN;
  const vocabulary = column?.vocabulary;
  if (!vocabulary) return Number(value);
  const text = String(value);
  if (!vocabulary.has(text)) vocabulary.set(text, vocabulary.size);
  return vocabulary.get(text) as number;
}

function readPartial(path: string): Partial {
  const file = openArrow(path);
  try {
    const metadata = new Map(file.schema.metadata);
    const text = metadata.get(KEY);
    const fail = (found: string) =>
      new InputFormatError(
        path,
        "metadata",
        `expected partial sums of softjac reduce or effects --partial, ${found}`,
      );
    if (text === undefined) throw fail("found none");
    const head: Head = JSON.parse(text);
    if (head.version !== VERSION) throw fail(`found version ${head.version}`);
    const read = inputReader(file);
    const states = Buffer.concat(
      Array.from(recordBatches(file), ({ context, batch }) => {
        const { offset = 0, length = 0 } = batch.buffers.at(-1) ?? {};
        return read(context.bodyStart + offset, length);
      }),
    );
    if (sha256(text, states) !== metadata.get(SHA256_KEY))
      throw new InputFormatError(
        path,
        "partial sums",
        "they do not match their SHA-256; copy the file again, or write it again with --partial",
      );
    return { path, head, states };
  } finally {
    file.close();
  }
}
