import { readFileSync, writeFileSync } from "node:fs";
import {
  type RecordBatch,
  RecordBatchFileWriter,
  Schema,
  tableFromIPC,
} from "apache-arrow";
import { expect, test } from "vitest";
import { verifyValues } from "../../src/verify/verify-values.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";

// Outputs that apache-arrow has written again, with other metadata or without a row: what is stored of each row is right.

const at = workDirectory();
const output = at("out.arrow");
const ROWS = 12;
const BAD = 7;
const gauss = normal(random(3));
const logits = Array.from({ length: 4 * ROWS }, gauss);
const logit = (row: number, k: number) => logits[4 * row + k] as number;
const sound = at("sound.arrow");
writeLogits(sound, { rows: ROWS, classes: 4, logit });
const oneBad = at("one-bad.arrow");
writeLogits(oneBad, {
  rows: ROWS,
  classes: 4,
  logit: (row, k) => (row === BAD ? Number.NaN : logit(row, k)),
});

/** Writes the output again, with more metadata, or with some of its rows. */
function rewrite(
  metadata: Record<string, string>,
  parts: [start: number, end: number][] = [[0, ROWS]],
): void {
  const table = tableFromIPC(readFileSync(output));
  const { fields, metadata: old } = table.schema;
  const schema = new Schema(
    fields,
    new Map([...old, ...Object.entries(metadata)]),
  );
  const writer = new RecordBatchFileWriter();
  writer.reset(undefined, schema);
  const [batch] = table.batches as [RecordBatch];
  for (const [start, end] of parts) writer.write(batch.slice(start, end));
  writer.finish();
  writeFileSync(output, writer.toUint8Array(true));
}

async function findingsOf(input: string): Promise<readonly string[]> {
  return (await verifyValues({ input, output, rows: "all" })).problems;
}

test.each(["bsr", "packed", "factored", "csr"] as const)(
  "%s: a bad row that should be null is missing",
  async (layout) => {
    await built.run({
      input: oneBad,
      output,
      layout,
      emit: ["jacobian"],
      onBadRow: "null",
      force: true,
    });
    rewrite({});
    expect(await findingsOf(oneBad)).toEqual([]);
    rewrite({}, [
      [0, BAD],
      [BAD + 1, ROWS],
    ]);
    expect(await findingsOf(oneBad)).toEqual([
      `row ${BAD}: the row is missing: it is a bad row of the input, so nulls are expected`,
    ]);
  },
);

/** x, some ε larger. */
const scaled = (x: number, epsilons: number) => x * (1 + epsilons * 2 ** -52);

/** Returns the sizes of all entries of the file, ascending. */
async function entrySizes(): Promise<number[]> {
  await built.run({ input: sound, output, layout: "csr", force: true });
  const values = tableFromIPC(readFileSync(output)).getChild("values");
  return [...(values ?? [])]
    .flatMap((entries) => [...(entries as Iterable<number>)])
    .map(Math.abs)
    .sort((x, y) => x - y);
}

/** Runs with one threshold and changes it in the metadata. */
async function withThresholds(run: number, stated: number): Promise<void> {
  await built.run({
    input: sound,
    output,
    layout: "csr",
    emit: ["jacobian"],
    threshold: run,
    force: true,
  });
  rewrite({ "softjac.threshold": String(stated) });
}

test("an entry that is left out although it exceeds the threshold by a few ε", async () => {
  const size = (await entrySizes())[40] as number;
  for (const epsilons of [2, 30]) {
    await withThresholds(scaled(size, 4), scaled(size, -epsilons));
    const problems = await findingsOf(sound);
    // An entry has an error of 3 ε, and the size that it is compared with has one of 4.
    if (epsilons === 2) expect(problems).toEqual([]);
    else {
      expect(problems.length).toBeGreaterThan(0);
      for (const finding of problems)
        expect(finding).toMatch(
          /^row \d+: the entry \[\d, \d\] of [\d.e-]+ is missing$/,
        );
    }
  }
});

test("an entry that is stored although it is less than the threshold", async () => {
  const sizes = await entrySizes();
  const size = sizes[40] as number;
  await withThresholds(size, scaled(size, 1));
  const least = sizes.filter((other) => other === size).length;
  const problems = await findingsOf(sound);
  expect(problems.length).toBeGreaterThan(0);
  expect(problems.length).toBeLessThanOrEqual(least);
  for (const finding of problems)
    expect(finding).toMatch(
      new RegExp(
        `^row \\d+: expected entries of at least ${scaled(size, 1)}, found ${size} at \\[\\d, \\d\\]$`,
      ),
    );
});
