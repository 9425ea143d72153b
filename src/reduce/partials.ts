import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { InputFormatError, UsageError } from "../errors.js";
import { interpreting } from "../input/interpreting.js";
import { inputCall } from "../io/system-error.js";
import { SumsSpace } from "../kernels/sums.js";
import type { Matrix } from "../model/coefficients.js";
import { type Command, optionsOf } from "../options/options-table.js";
import { sumsModule } from "../tasks/kernel-memory.js";
import { GroupTable, type KeyColumn } from "./group-table.js";
import type { SumSource } from "./options.js";
import type { RowShape, RowSums, SumRequest } from "./sum-inputs.js";

/** Commands whose sums can be merged. */
export type PartialCommand = "reduce" | "effects";

const KEY = "softjac.partial";
const VERSION = 2;

/** Metadata of a file of partial sums. */
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
  inputs: { path: string; id: string }[];
  rows: number;
  badRows: number;
  firstBadRow: RowSums["firstBadRow"];
  /** Sums over all rows, base64; null for passes with groups. */
  totals: (string | null)[];
}

/** Writes sums for `mergePartials`; returns the size of the file in bytes. @throws as writeTable */
export async function writePartial(
  command: PartialCommand,
  given: object,
  matrices: ReadonlyMap<string, Matrix>,
  sums: RowSums,
  {
    output,
    inputs,
    ...commit
  }: {
    output: string;
    inputs: readonly string[];
    force: boolean;
    sync: boolean;
  },
): Promise<number> {
  const { binaryColumn, keyColumn, writeTable } = await import(
    "./arrow-table.js"
  );
  const { shape, keys, groups, spaces, passes, rows, badRows, firstBadRow } =
    sums;
  const options = storedOptions(command, given);
  const content = {
    ...{ version: VERSION, command, options },
    matrices: Object.fromEntries(
      [...matrices].map(([name, { values, ...size }]) => [
        name,
        {
          ...size,
          values: base64(
            new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
          ),
        },
      ]),
    ),
    shape,
    keys: keys.map(({ name, field, vocabulary }) => ({
      ...{ name, field, isText: vocabulary !== null && vocabulary.size > 0 },
    })),
  };
  const head: Head = {
    ...content,
    fingerprint: sha256(JSON.stringify(content)),
    inputs: inputs.map((path) => ({
      path,
      id:
        path === "-" ? "" : sha256(`${resolve(path)}\n${statSync(path).size}`),
    })),
    ...{ rows, badRows, firstBadRow },
    totals: passes.map(({ isGrouped }, n) =>
      isGrouped ? null : base64((spaces[n] as SumsSpace).take(0, 1)),
    ),
  };
  const sorted = groups.sorted(keys);
  return writeTable(
    output,
    [
      ...keys.map((key, k) =>
        keyColumn(
          key,
          sorted.map(({ keys }) => keys[k] ?? null),
        ),
      ),
      ...spaces.flatMap((space, n) =>
        passes[n]?.isGrouped
          ? [
              binaryColumn(
                `sums_${n}`,
                sorted.map(({ group }) => space.take(group, 1)),
              ),
            ]
          : [],
      ),
    ],
    { [KEY]: JSON.stringify(head) },
    commit,
  );
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

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(
    "base64",
  );
}

/** Partial sums of one file. */
interface Partial {
  path: string;
  head: Head;
  /** Keys of each group, and for each pass its states. */
  groups: { keys: (string | number | null)[]; states: Uint8Array[] }[];
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
export async function readPartials(
  paths: readonly string[],
): Promise<MergedPartials> {
  const partials: Partial[] = [];
  for (const path of paths)
    partials.push(
      await interpreting(path, "partial sums", () => readPartial(path)),
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

function merged(
  partials: readonly Partial[],
  { command, plan, intercept, coefficients }: SumRequest,
): RowSums {
  const [{ head }] = partials as [Partial];
  const { shape } = head;
  coefficients?.check(shape.features, intercept);
  const passes = plan(shape);
  const module = sumsModule(`softjac ${command}`);
  const keys: KeyColumn[] = head.keys.map(({ isText, ...key }) => ({
    ...key,
    vocabulary: isText ? new Map() : null,
  }));
  const sums: RowSums = {
    ...{ shape, passes, keys, groups: new GroupTable() },
    spaces: passes.map(({ spec }) => new SumsSpace(module, spec)),
    ...{ rows: 0, badRows: 0, firstBadRow: null, threads: 0 },
  };
  if (keys.length === 0) sums.groups.indexOf([]);
  for (const space of sums.spaces) space.ensureGroups(sums.groups.size);
  const grouped = sums.spaces.filter((_, n) => passes[n]?.isGrouped);
  for (const { path, head, groups } of partials) {
    const check = (space: SumsSpace, state: Uint8Array | undefined) => {
      if (state?.byteLength !== space.groupBytes)
        throw new InputFormatError(
          path,
          "partial sums",
          `expected ${space.groupBytes} bytes for each group, found ${state?.byteLength}`,
        );
      return state;
    };
    for (const { keys: values, states } of groups) {
      const group = sums.groups.indexOf(
        values.map((value, k) => {
          if (value === null) return Number.NaN;
          const vocabulary = keys[k]?.vocabulary;
          if (!vocabulary) return Number(value);
          const text = String(value);
          if (!vocabulary.has(text)) vocabulary.set(text, vocabulary.size);
          return vocabulary.get(text) as number;
        }),
      );
      for (const [n, space] of grouped.entries())
        space.merge(group, check(space, states[n]));
    }
    for (const [n, space] of sums.spaces.entries())
      if (!passes[n]?.isGrouped)
        space.merge(
          0,
          check(space, Buffer.from(head.totals[n] ?? "", "base64")),
        );
    sums.rows += head.rows;
    sums.badRows += head.badRows;
    sums.firstBadRow ??= head.firstBadRow;
  }
  return sums;
}

async function readPartial(path: string): Promise<Partial> {
  const bytes = inputCall(path, "could not be read", () => readFileSync(path));
  const { readTable } = await import("./arrow-table.js");
  const { metadata, columns } = readTable(bytes);
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
  const [keys, states] = [
    columns.slice(0, head.keys.length),
    columns.slice(head.keys.length),
  ];
  const rows = columns[0]?.length ?? 0;
  return {
    path,
    head,
    groups: Array.from({ length: rows }, (_, row) => ({
      keys: keys.map((column) => column[row] as string | number | null),
      states: states.map((column) => column[row] as Uint8Array),
    })),
  };
}
