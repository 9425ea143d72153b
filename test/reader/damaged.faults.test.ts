import fs from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { Counter } from "../support/counter.js";
import { flippedBits } from "../support/damaged-runs.js";
import { stepOf } from "../support/every-call.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import {
  type SparseExamples,
  sparseColumns,
  writeResults,
} from "../support/results-file.js";

// Reading a damaged file throws a SoftjacError, or gives the numbers that flechette reads from it.

const at = workDirectory();
const classes = 3;
const damaged = at("damaged");

/** Nonzero entries of a block, as text. */
type Entries = string[] | null;

const logit = (r: number, k: number) =>
  r === 4 ? Number.NaN : Math.sin(3 * r + k);
writeLogits(at("in"), { rows: 9, classes, logit });
await built.run({ input: at("in"), output: at("bsr"), onBadRow: "null" });
const examples: SparseExamples = Array.from({ length: 9 }, (_, row) => ({
  row,
  entries:
    row === 4
      ? null
      : {
          indices: [0, 2, 3, 8].slice(0, 1 + (row % 4)),
          values: [1, 2, 3, 4].slice(0, 1 + (row % 4)).map((x) => x + row / 16),
        },
}));
for (const layout of ["csr", "coo"]) {
  const stored = examples.filter(({ entries }) => entries || layout === "csr");
  const columns = sparseColumns(layout, stored, classes);
  writeResults(at(layout), columns, { layout, rows: 9, classes }, [4, 5]);
}

/** Returns all blocks that softjac reads by batch, which must be the same by row. */
async function ours(path: string): Promise<Map<number, Entries>> {
  await using reader = await built.openJacobian(path);
  const entriesOf = (block: ArrayLike<number> | null): Entries =>
    block &&
    Array.from(block).flatMap((x, n) => (x === 0 ? [] : [`${n}: ${x}`]));
  const found = new Map<number, Entries>();
  for await (const batch of reader)
    for (let k = 0; k < batch.count; k++)
      found.set(batch.rows[k] as number, entriesOf(await batch.block(k)));
  for (const [row, entries] of found)
    expect(entriesOf(await reader.block(row))).toEqual(entries);
  return found;
}

type List = ArrayLike<number> | null;
/** Returns all blocks that flechette reads. */
function theirs(bytes: Uint8Array, layout: string): Map<number, Entries> {
  const table = tableFromIPC(bytes, { useBigInt: false });
  const column = (name: string) => [...table.getChild(name)];
  const stated = table.schema.metadata as Map<string, string> | null;
  const Q = Number(stated?.get("softjac.classes") ?? classes);
  const found = new Map<number, Entries>();
  const text = (indices: ArrayLike<number>, values: ArrayLike<number>) =>
    Array.from(indices, (index, n) => [index, values[n]] as const).flatMap(
      ([index, x]) => (x === 0 ? [] : [`${index}: ${x}`]),
    );
  const rows: number[] = column("row");
  if (layout === "coo") {
    const [i, j, value] = ["i", "j", "value"].map(column) as number[][];
    rows.forEach((row, n) => {
      const own = text([Q * (i?.[n] ?? 0) + (j?.[n] ?? 0)], [value?.[n] ?? 0]);
      found.set(row, [...(found.get(row) ?? []), ...own]);
    });
    return found;
  }
  const values: List[] = column(layout === "csr" ? "values" : "jacobian");
  const indices: List[] = layout === "csr" ? column("indices") : values;
  rows.forEach((row, n) => {
    const [at, of] = [indices[n], values[n]];
    const places = layout === "csr" ? at : Array.from(at ?? [], (_, k) => k);
    found.set(row, of && places ? text(places, of) : null);
  });
  return found;
}

// The damage and its outcomes are the same in every run. A changed check may change a count; fewer errors need a reason.
type Part = "bodies" | "metadata" | "bits";
const FORMAT = "ERR_INPUT_FORMAT";
const UNSUPPORTED = "ERR_INPUT_UNSUPPORTED";
const OTHER = "as another reader";
type Outcomes = Record<Part, Record<string, number>>;
const EXPECTED: Record<string, Outcomes> = {
  bsr: {
    bodies: { [FORMAT]: 11, [OTHER]: 80, same: 85 },
    metadata: { [FORMAT]: 224, same: 88 },
    bits: { [FORMAT]: 47, [OTHER]: 16, same: 37 },
  },
  csr: {
    bodies: { [FORMAT]: 43, [OTHER]: 16, same: 49 },
    metadata: { [FORMAT]: 169, [UNSUPPORTED]: 2, same: 30 },
    bits: { [FORMAT]: 63, [OTHER]: 8, same: 29 },
  },
  coo: {
    bodies: { [FORMAT]: 50, [OTHER]: 19, same: 19 },
    metadata: { [FORMAT]: 235, [UNSUPPORTED]: 4, same: 31 },
    bits: { [FORMAT]: 77, [UNSUPPORTED]: 1, [OTHER]: 9, same: 13 },
  },
};

/** Returns the code of an error, "same" or "as another reader". */
async function outcomeOf(
  bytes: Uint8Array,
  layout: string,
  undamaged: Map<number, Entries>,
): Promise<string> {
  fs.writeFileSync(damaged, bytes);
  let found: Map<number, Entries>;
  try {
    found = await ours(damaged);
  } catch (error) {
    if (!(error instanceof built.SoftjacError)) throw error;
    expect([FORMAT, UNSUPPORTED, "ERR_ROW_MISSING"]).toContain(error.code);
    expect(error.message).toMatch(CLEAR_MESSAGE);
    return error.code;
  }
  if (String([...found]) === String([...undamaged])) return "same";
  expect([...found]).toEqual([...theirs(bytes, layout)]);
  return OTHER;
}

/** Returns damaged copies of a file: footer and messages are metadata, and the rest are bodies. */
const DAMAGE: Record<
  keyof Outcomes,
  (bytes: Buffer<ArrayBuffer>) => Generator<Buffer>
> = {
  bodies: (bytes) => changedNumbers(bytes, false),
  metadata: (bytes) => changedNumbers(bytes, true),
  bits: (bytes) => flippedBits(bytes, 100, 99),
};

/** Sets every seventh number of the metadata, or of the bodies, to other values. */
function* changedNumbers(
  bytes: Buffer<ArrayBuffer>,
  inMetadata: boolean,
): Generator<Buffer> {
  const isMetadata = new Uint8Array(bytes.length);
  const footerBytes = bytes.readInt32LE(bytes.length - 10);
  isMetadata.fill(1, bytes.length - 10 - footerBytes);
  for (let k = 0; k + 8 <= bytes.length; k += 8)
    if (bytes.readUInt32LE(k) === 0xffffffff)
      isMetadata.fill(1, k, k + 8 + Math.max(0, bytes.readInt32LE(k + 4)));
  for (let k = 0; k + 4 <= bytes.length; k += 28) {
    if (Boolean(isMetadata[k]) !== inMetadata) continue;
    const next = bytes.readInt32LE(k) + 1;
    const values = [-1, next, 2 ** 31 - 1, ...(inMetadata ? [] : [0])];
    for (const value of values) {
      const copy = Buffer.from(bytes);
      copy.writeInt32LE(value | 0, k);
      yield copy;
    }
  }
}

describe.each(Object.entries(EXPECTED))("%s", (layout, outcomes) => {
  const bytes = fs.readFileSync(at(layout));
  // The metadata of the output of a run names the version, whose length decides which bytes are damaged.
  const slack = layout === "bsr" ? 10 : 0;

  test("both readers read the undamaged file", async () => {
    const found = await ours(at(layout));
    expect(found.size).toBe(layout === "coo" ? 8 : 9);
    expect([...found]).toEqual([...theirs(bytes, layout)]);
  });

  test("a truncated file is refused", async () => {
    for (let length = 0; length < bytes.length; length += stepOf(9)) {
      fs.writeFileSync(damaged, bytes.subarray(0, length));
      await expect(built.openJacobian(damaged)).rejects.toThrow(
        built.InputFormatError,
      );
    }
  });

  test.each(["bodies", "metadata", "bits"] as const)(
    "damaged %s",
    async (part) => {
      const undamaged = await ours(at(layout));
      const counter = new Counter();
      for (const copy of DAMAGE[part](bytes))
        counter.add(await outcomeOf(copy, layout, undamaged));
      expect(counter.differences(outcomes[part], slack)).toEqual([]);
    },
  );
});

test("an open file that is truncated", async () => {
  fs.copyFileSync(at("bsr"), damaged);
  await using reader = await built.openJacobian(damaged);
  fs.truncateSync(damaged, 2000);
  await expect(reader.block(8)).rejects.toThrow(
    /: changed while it was read \(bytes \d+, now 2000; /,
  );
  await expect(reader.block(8)).rejects.toThrow(built.InputChangedError);
});
