import { readFileSync, writeFileSync } from "node:fs";
import { Field, Float64, Int64, List } from "apache-arrow";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import {
  csrFile,
  type SparseExamples,
  writeResults,
} from "../support/results-file.js";

// Files of results whose numbers cannot be; other readers do not look at them.

const at = workDirectory();
const path = at("stated");
const metadata = { "softjac.classes": "3", "softjac.rows": "9" };
const examples: SparseExamples = Array.from({ length: 4 }, (_, row) => ({
  row,
  entries: { indices: [0, 4], values: [1 + row, 2] },
}));

async function messageOf(row: number): Promise<string> {
  try {
    const reader = await built.openJacobian(path);
    await reader.block(row).finally(() => reader.close());
    return "no error";
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return `${code} ${message}`.replace(path, "file");
  }
}

test("the file is sound without the changes", async () => {
  writeResults(path, { columns: csrFile(examples), metadata });
  expect(await messageOf(3)).toBe("no error");
});

test("row numbers that are closer than the rows of a batch", async () => {
  const columns = csrFile(examples);
  columns[0] = ["row", new Int64(), [0n, 1n, 2n, 2n]];
  writeResults(path, { columns, metadata });
  expect(await messageOf(1)).toBe(
    "ERR_INPUT_FORMAT file: record batch 0: column row: expected 4 ascending row numbers from 0 or more, found 0 first and 2 last",
  );
});

test("offsets of lists that descend", async () => {
  writeResults(path, { columns: csrFile(examples), metadata });
  const bytes = readFileSync(path);
  const offsets = Buffer.from(Int32Array.of(0, 2, 4, 6, 8).buffer);
  const places = [bytes.indexOf(offsets), bytes.lastIndexOf(offsets)];
  expect(places[1]).toBeGreaterThan(places[0] as number);
  for (const place of places) bytes.writeInt32LE(1, place + 8);
  writeFileSync(path, bytes);
  expect(await messageOf(1)).toMatch(
    /^ERR_INPUT_FORMAT file: record batch 0: column (values|indices): expected ascending offsets from 0 to 8, found 2 and 1 for row 1 of the batch$/,
  );
});

test("offsets of lists that descend, to verify", async () => {
  const [input, output] = [at("in"), at("csr")];
  writeLogits(input, { rows: 4, classes: 2, logit: (r, k) => r - k });
  await built.run({ input, output, layout: "csr" });
  const bytes = readFileSync(output);
  const offsets = Buffer.from(Int32Array.of(0, 4, 8, 12, 16).buffer);
  const place = bytes.lastIndexOf(offsets);
  expect(place).toBeGreaterThan(0);
  bytes.writeInt32LE(3, place + 8);
  writeFileSync(output, bytes);
  const error = await built
    .verify({ input, output, all: true })
    .catch((e) => e);
  expect(`${error.code} ${error.message}`.replace(output, "file")).toMatch(
    /^ERR_INPUT_FORMAT file: record batch 0: column \w+: expected ascending offsets from 0 to 16, found 4 and 3 for row 1 of the batch$/,
  );
});

test("a null among the numbers of a list", async () => {
  const columns = csrFile(examples);
  const values = examples.map(({ row }) => [1 + row, row === 2 ? null : 2]);
  const list = new List(new Field("item", new Float64(), true));
  columns[1] = ["values", list, values];
  writeResults(path, { columns, metadata });
  expect(await messageOf(1)).toBe("no error");
  expect(await messageOf(2)).toBe(
    "ERR_INPUT_FORMAT file: record batch 0: column values: expected a number, found null at value 5",
  );
});
