import {
  copyFileSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { random } from "../support/random.js";
import {
  cooFile,
  csrFile,
  type SparseExamples,
  writeResults,
} from "../support/results-file.js";

// A damaged file ends in one of our errors, or in exactly the numbers that stand in it, which another reader says.

const at = workDirectory();
const classes = 3;
const damaged = at("damaged");
const CODES = [
  "ERR_INPUT_FORMAT",
  "ERR_INPUT_UNSUPPORTED",
  "ERR_ROW_MISSING",
  "ERR_USAGE",
];

/** Entries of an example that are not 0, as text. */
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
const metadata = { "softjac.classes": "3", "softjac.rows": "9" };
const batchRows = [4, 5];
writeResults(at("csr"), { columns: csrFile(examples), metadata, batchRows });
const coo = cooFile(
  examples.filter(({ entries }) => entries),
  classes,
);
writeResults(at("coo"), { columns: coo, metadata, batchRows });

/** All examples of a file by our reader: those of every batch, and each again by its row. */
async function ours(path: string): Promise<Map<number, Entries>> {
  const reader = await built.openJacobian(path);
  try {
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
  } finally {
    await reader.close();
  }
}

type List = ArrayLike<number> | null;
/** The same by another reader. */
function theirs(bytes: Uint8Array, layout: string): Map<number, Entries> {
  const table = tableFromIPC(bytes, { useBigInt: false });
  const column = (name: string) => [...table.getChild(name)];
  const said = table.schema.metadata as Map<string, string> | null;
  const Q = Number(said?.get("softjac.classes") ?? classes);
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

type Outcome = "refused" | "same" | "as another reader";

/** Share of the damaged files that is refused at least. */
const LEAST_REFUSED: { [layout: string]: { [what: string]: number } } = {
  bsr: { bodies: 0.05, metadata: 0.65, "bit flips": 0.38 },
  csr: { bodies: 0.27, metadata: 0.8, "bit flips": 0.6 },
  coo: { bodies: 0.41, metadata: 0.84, "bit flips": 0.75 },
};

function checkCounts(
  layout: string,
  what: string,
  counts: Record<Outcome, number>,
): void {
  console.log(`damaged ${layout}: ${what} ${JSON.stringify(counts)}`);
  const total = counts.refused + counts.same + counts["as another reader"];
  expect(counts.refused / total).toBeGreaterThan(
    LEAST_REFUSED[layout]?.[what] as number,
  );
  if (what === "metadata")
    expect(counts["as another reader"]).toBeLessThanOrEqual(1);
}

async function outcomeOf(
  bytes: Uint8Array,
  layout: string,
  undamaged: Map<number, Entries>,
): Promise<Outcome> {
  writeFileSync(damaged, bytes);
  let found: Map<number, Entries>;
  try {
    found = await ours(damaged);
  } catch (error) {
    if (!(error instanceof built.SoftjacError)) throw error;
    expect(CODES, error.message).toContain(error.code);
    expect(error.message).toMatch(/expected .+ found .+/s);
    return "refused";
  }
  if (String([...found]) === String([...undamaged])) return "same";
  expect([...found]).toEqual([...theirs(bytes, layout)]);
  return "as another reader";
}

describe.each(["bsr", "csr", "coo"])("%s", (layout) => {
  const bytes = readFileSync(at(layout));

  test("the good file, as another reader reads it", async () => {
    const found = await ours(at(layout));
    expect(found.size).toBe(layout === "coo" ? 8 : 9);
    expect([...found]).toEqual([...theirs(bytes, layout)]);
  });

  test("cut at every byte", async () => {
    for (let length = 0; length < bytes.length; length++) {
      writeFileSync(damaged, bytes.subarray(0, length));
      await expect(built.openJacobian(damaged)).rejects.toThrow(
        built.InputFormatError,
      );
    }
  });

  /** Ranges of metadata: footer and messages; what is between them is the bodies. */
  const footerBytes = bytes.readInt32LE(bytes.length - 10);
  const isMetadata = new Uint8Array(bytes.length);
  isMetadata.fill(1, bytes.length - 10 - footerBytes);
  for (let k = 0; k + 8 <= bytes.length; k += 8)
    if (bytes.readUInt32LE(k) === 0xffffffff)
      isMetadata.fill(1, k, k + 8 + Math.max(0, bytes.readInt32LE(k + 4)));

  test("every number of offsets, indices, row numbers and validity set to awkward values", async () => {
    const undamaged = await ours(at(layout));
    const counts = { refused: 0, same: 0, "as another reader": 0 };
    for (let k = 0; k + 4 <= bytes.length; k += 4) {
      if (isMetadata[k]) continue;
      const old = bytes.readInt32LE(k);
      for (const value of [-1, 0, old + 1, 2 ** 31 - 1]) {
        const copy = Buffer.from(bytes);
        copy.writeInt32LE(value | 0, k);
        counts[await outcomeOf(copy, layout, undamaged)]++;
      }
    }
    checkCounts(layout, "bodies", counts);
  });

  test("numbers of the metadata set to awkward values", async () => {
    const undamaged = await ours(at(layout));
    const counts = { refused: 0, same: 0, "as another reader": 0 };
    for (let k = 0; k + 4 <= bytes.length; k += 4) {
      if (!isMetadata[k]) continue;
      for (const value of [-1, bytes.readInt32LE(k) + 1, 2 ** 31 - 1]) {
        const copy = Buffer.from(bytes);
        copy.writeInt32LE(value | 0, k);
        counts[await outcomeOf(copy, layout, undamaged)]++;
      }
    }
    checkCounts(layout, "metadata", counts);
  });

  test("random bits flipped anywhere", async () => {
    const undamaged = await ours(at(layout));
    const uniform = random(99);
    const counts = { refused: 0, same: 0, "as another reader": 0 };
    for (let n = 0; n < 500; n++) {
      const place = Math.floor(uniform() * bytes.length);
      const copy = Buffer.from(bytes);
      copy[place] = (copy[place] as number) ^ (1 << Math.floor(uniform() * 8));
      counts[await outcomeOf(copy, layout, undamaged)]++;
    }
    checkCounts(layout, "bit flips", counts);
  });
});

test("cut while it is open: refused where the bytes are gone", async () => {
  copyFileSync(at("bsr"), damaged);
  const reader = await built.openJacobian(damaged);
  truncateSync(damaged, 2000);
  await expect(reader.block(8)).rejects.toThrow(
    /: changed while it was read \(bytes \d+, now 2000; /,
  );
  await expect(reader.block(8)).rejects.toThrow(built.InputChangedError);
  await reader.close();
});
