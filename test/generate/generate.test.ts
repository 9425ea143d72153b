import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { tableFromIPC as flechetteTable } from "@uwdata/flechette";
import { RecordBatchReader, tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import type { GenerateOptions } from "../../src/index.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { refused } from "../support/refused.js";

const at = workDirectory();
const { generate } = built;

interface Drawn {
  ids: bigint[];
  logits: number[];
  labels: number[];
}

async function drawn(
  options: Omit<GenerateOptions, "output">,
): Promise<Drawn & { bytes: Buffer }> {
  const output = at("drawn.arrow");
  await generate({ ...options, output, force: true });
  const bytes = readFileSync(output);
  const table = tableFromIPC(bytes);
  const child = table.getChild("logits")?.data ?? [];
  return {
    bytes,
    ids: [...(table.getChild("id")?.toArray() ?? [])],
    logits: child.flatMap((data) => [...(data.children[0]?.values ?? [])]),
    labels: [...(table.getChild("label")?.toArray() ?? [])],
  };
}

test.each(["float32", "float64"] as const)(
  "%s: two readers find the same columns, and the report is right",
  async (dtype) => {
    const output = at(`${dtype}.arrow`);
    const options = { rows: 1000, classes: 7, dtype, output, seed: 3 };
    expect(await generate(options)).toMatchObject({
      ...options,
      status: "done",
      kind: "normal",
      scale: 3,
      rowsDone: 1000,
      recordBatches: 1,
      outputBytes: statSync(output).size,
    });
    const bytes = readFileSync(output);
    const { schema } = tableFromIPC(bytes);
    expect(schema.fields.map(({ type }) => `${type}`)).toEqual([
      "Int64",
      `FixedSizeList[7]<${dtype === "float32" ? "Float32" : "Float64"}>`,
      "Int32",
    ]);
    expect(schema.metadata.get("softjac.seed")).toBe("3");
    const other = flechetteTable(bytes, { useBigInt: true });
    const column = (name: string) => [...other.getChild(name)];
    const { ids, logits, labels } = await drawn(options);
    expect(column("id")).toEqual(ids);
    expect(column("logits").flatMap((list) => [...list])).toEqual(logits);
    expect(column("label")).toEqual(labels);
    expect(ids).toEqual(Array.from({ length: 1000 }, (_, r) => BigInt(r)));
  },
);

test("the same bytes twice, others for another seed; float32 is the float64 rounded", async () => {
  const options = { rows: 500, classes: 6, kind: "peaked", seed: 9 } as const;
  const a = await drawn(options);
  expect((await drawn(options)).bytes.equals(a.bytes)).toBe(true);
  expect((await drawn({ ...options, seed: 10 })).logits).not.toEqual(a.logits);
  const narrow = await drawn({ ...options, dtype: "float32" });
  expect(narrow.logits).toEqual(a.logits.map(Math.fround));
});

test("record batches have 16 to 64 MiB, and rows do not depend on their number", async () => {
  const output = at("batches.arrow");
  const shape = { classes: 1000, kind: "notebook", dtype: "float32" } as const;
  const report = await generate({ ...shape, rows: 10_000, output });
  expect(report.recordBatches).toBe(2);
  const batches = [...RecordBatchReader.from(readFileSync(output))];
  expect(batches.map(({ numRows }) => numRows)).toEqual([8363, 1637]);
  const [first] = batches[0]?.data.children[1]?.children ?? [];
  const { logits } = await drawn({ ...shape, rows: 3 });
  expect([...(first?.values.subarray(0, 3000) ?? [])]).toEqual(logits);
  expect(batches[1]?.get(0)?.id).toBe(8363n);
});

test("no rows, one class, 100,000 classes", async () => {
  expect((await drawn({ rows: 0, classes: 3 })).ids).toEqual([]);
  const one = await drawn({ rows: 5, classes: 1, kind: "peaked" });
  expect(one.labels).toEqual([0, 0, 0, 0, 0]);
  const wide = await drawn({ rows: 3, classes: 100_000, kind: "peaked" });
  expect(wide.logits.length).toBe(300_000);
});

const sum = (x: number[]) => x.reduce((sum, v) => sum + v, 0);

/** Returns Σ (found - expected)²/expected; of k classes it is about k - 1 ± √(2 (k - 1)). */
const chiSquare = (found: number[], expected: number[]) =>
  sum(found.map((n, k) => (n - (expected[k] ?? 0)) ** 2 / (expected[k] ?? 0)));

test("labels are drawn from softmax of their rows", async () => {
  const rows = 20_000;
  const { logits, labels } = await drawn({ rows, classes: 4, scale: 1 });
  const p = built.softmax(Float64Array.from(logits), { rows, classes: 4 });
  const [found, expected] = [Array(4).fill(0), Array(4).fill(0)];
  let surprise = 0;
  for (const [r, label] of labels.entries()) {
    found[label]++;
    surprise += 1 / (p[4 * r + label] as number);
    for (let k = 0; k < 4; k++) expected[k] += p[4 * r + k];
  }
  expect(chiSquare(found, expected)).toBeLessThan(16.3);
  // The mean of 1/p of the class drawn is the number of classes.
  expect(surprise / rows).toBeCloseTo(4, 0);
});

/** Options that are refused, by the message. */
const REFUSED: Record<string, object> = {
  "missing required option rows": { rows: undefined },
  "rows: expected a whole number from 0, found -1": { rows: -1 },
  "classes: expected a whole number from 1 to 16777216, found 0": {
    classes: 0,
  },
  "scale: only kind normal has a scale, found kind peaked": {
    ...{ scale: 1, kind: "peaked" },
  },
  "scale: expected a number from 0 to 1000000, found -1": { scale: -1 },
  "unknown option threads; the options are output, rows, classes, kind, scale, seed, dtype, force, sync":
    { threads: 2 },
  "rows, classes: expected at most 4398046511104 bytes in one file, found 1125899906842624 rows of 28":
    { rows: 2 ** 50 },
};
test.each(Object.entries(REFUSED))("%s", async (message, options) => {
  const output = at("refused.arrow");
  const made = generate({ output, rows: 1, classes: 2, ...options });
  await expect(made).rejects.toThrow(message);
  expect(existsSync(output)).toBe(false);
});

test("an existing file is replaced only with force", async () => {
  const options = { output: at("kept.arrow"), rows: 10, classes: 2 };
  await generate(options);
  await expect(generate(options)).rejects.toThrow(
    `${options.output} already exists; use --force to overwrite it`,
  );
  await generate({ ...options, force: true, rows: 20 });
});

test("too little space and an abort leave nothing behind", async () => {
  const output = at("other.arrow");
  const large = generate({ output, rows: 30_000, classes: 2 ** 24 });
  const full = /not enough disk space in .+: \d+ bytes are needed/;
  await expect(large).rejects.toThrow(full);
  const controller = new AbortController();
  const onProgress = (rowsDone: number) => {
    if (rowsDone > 20_000) controller.abort();
  };
  const hooks = { signal: controller.signal, onProgress };
  const stopped = generate({ output, rows: 100_000, classes: 10 }, hooks);
  const report = { status: "failed", rows: 100_000 };
  await refused(stopped, "ERR_ABORTED", /./, { report });
  const left = readdirSync(dirname(output));
  expect(left.filter((name) => name.includes("other.arrow"))).toEqual([]);
});
