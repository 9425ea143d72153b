import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { softjac } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Arrays with more than one axis of rows: `row` is the index along the first, and each further axis has an index column.

const at = workDirectory();
const [n, t, Q] = [3, 5, 4];
const logit = (row: number, position: number, k: number) =>
  ((row * 7 + position * 5 + k * 3) % 11) / 2 - 2;
const values = Float64Array.from({ length: n * t * Q }, (_, at) =>
  logit(Math.floor(at / Q / t), Math.floor(at / Q) % t, at % Q),
);
const input = at("tokens.npy");
writeFileSync(input, npy(values, [n, t, Q]));
const damaged = at("bad.npy");
writeFileSync(
  damaged,
  npy(values.with((1 * t + 2) * Q, Number.NaN), [n, t, Q]),
);
const output = at("out.arrow");
const run = (options: Partial<RunOptions> = {}) =>
  built.run({ input, output, force: true, ...options });
const columns = () => {
  const table = tableFromIPC(readFileSync(output), { useBigInt: false });
  const column = (name: string) => Array.from(table.getChild(name) ?? []);
  const names = table.schema.fields.map(({ name }) => name);
  return { names, column, metadata: table.schema.metadata };
};
const indices = Array.from({ length: n * t }, (_, r) => [
  Math.floor(r / t),
  r % t,
]);

function softmax(row: number, position: number): number[] {
  const e = Array.from({ length: Q }, (_, k) =>
    Math.exp(logit(row, position, k)),
  );
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
}

test.each(["bsr", "packed", "csr", "factored", "dense"] as const)(
  "layout %s has the index of each row",
  async (layout) => {
    await run({ layout, emit: ["softmax", "jacobian"] });
    const { names, column, metadata } = columns();
    expect(names.slice(0, 3)).toEqual(["row", "position", "softmax"]);
    const [row, position] = [column("row"), column("position")];
    expect(row.map((number, k) => [number, position[k]])).toEqual(indices);
    expect(metadata?.get("softjac.row_shape")).toBe("3,5");
    for (const [k, p] of column("softmax").entries())
      for (const [j, value] of softmax(...(indices[k] as [0, 0])).entries())
        expect((p as number[])[j]).toBeCloseTo(value, 14);
    const verified = softjac("verify", output, "--input", input);
    expect(verified).toMatchObject({ status: 0 });
  },
);

test.each([undefined, 2])(
  "layout coo repeats the index with each entry (%s threads)",
  async (threads) => {
    await run({ layout: "coo", threads });
    const { names, column } = columns();
    expect(names).toEqual(["row", "position", "i", "j", "value"]);
    const [row, position, i, j] = ["row", "position", "i", "j"].map(column);
    for (const [at, value] of column("value").entries()) {
      const [r, s, a, b] = [row, position, i, j].map((c) => c?.[at]) as [
        number,
        number,
        number,
        number,
      ];
      const p = softmax(r, s);
      const [own = 0, other = 0] = [p[a], p[b]];
      expect(value).toBeCloseTo(own * ((a === b ? 1 : 0) - other), 14);
    }
    expect(softjac("verify", output, "--input", input).status).toBe(0);
  },
);

test("each axis after the first has a column", async () => {
  const four = at("four.npy");
  writeFileSync(four, npy(values.slice(0, 48), [2, 3, 2, Q]));
  await run({ input: four, classAxis: 3, emit: ["entropy"] });
  const { names, column } = columns();
  expect(names).toEqual(["row", "position_1", "position_2", "entropy"]);
  expect(column("row")).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  expect(column("position_1")).toEqual([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
  expect(column("position_2")).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
  expect(softjac("verify", output, "--input", four).status).toBe(0);
  expect(
    softjac("show", output, "--row", "1", "--position", "2,0").stdout,
  ).toContain("row 1, position_1 2, position_2 0, of 12");
});

test("errors name a bad row by its index; it can be null or skipped", async () => {
  const found = softjac("run", damaged, "-o", output, "--force");
  expect(found.status).toBe(65);
  expect(found.stderr).toContain(
    "bad.npy: row 1, position 2: expected finite logits or -inf for masked classes, found NaN in class 0",
  );
  for (const onBadRow of ["null", "skip"] as const)
    for (const layout of ["bsr", "csr"] as const) {
      const report = await run({ input: damaged, onBadRow, layout });
      expect(report).toMatchObject({ badRows: 1, firstBadRow: 1 });
      const [row, position] = ["row", "position"].map(columns().column);
      const expected = indices.filter((_, k) => onBadRow === "null" || k !== 7);
      expect(row?.map((number, k) => [number, position?.[k]])).toEqual(
        expected,
      );
      expect(softjac("verify", output, "--input", damaged).status).toBe(0);
    }
});

test("openJacobian and show find rows by index", async () => {
  for (const layout of ["bsr", "coo"] as const) {
    await run({ layout });
    const reader = await built.openJacobian(output);
    const p = softmax(2, 1);
    const [a = 0, b = 0] = p;
    expect(await reader.entry({ row: 2, position: 1 }, 0, 1)).toBeCloseTo(
      -a * b,
      14,
    );
    await expect(reader.block(2)).rejects.toThrow(
      `position: expected position (0 to 4) for each row of ${output}, found none`,
    );
    await expect(reader.block({ row: 2, position: 5 })).rejects.toThrow(
      "found 5",
    );
    await expect(reader.block({ row: 3, position: 0 })).rejects.toMatchObject({
      code: "ERR_ROW_MISSING",
      row: 3,
    });
    for await (const batch of reader) {
      expect([...batch.rows].slice(0, 6)).toEqual([0, 0, 0, 0, 0, 1]);
      expect([...(batch.positions[0] ?? [])].slice(0, 6)).toEqual([
        0, 1, 2, 3, 4, 0,
      ]);
    }
    await reader.close();
    const shown = await built.show({ results: output, row: 2, position: [1] });
    expect(shown).toMatchObject({ row: 2, positions: [1] });
    expect(shown.block?.[0]?.[1]).toBeCloseTo(-a * b, 14);
  }
  const missing = softjac("show", output, "--row", "1");
  expect(missing).toMatchObject({ status: 64 });
  expect(missing.stderr).toContain("expected position (0 to 4) for each row");
});

test("a shard shows its rows by their indices", async () => {
  const folder = at("folder");
  mkdirSync(folder);
  writeFileSync(`${folder}/a.npy`, npy(values, [n, t, Q]));
  writeFileSync(`${folder}/b.npy`, npy(values, [n * t, Q]));
  const out = at("dataset/");
  const refused = softjac("run", folder, "-o", out);
  expect(refused.status).toBe(65);
  expect(refused.stderr).toContain(
    "expected rows of 2 axes as in a.npy, found 1",
  );
  writeFileSync(`${folder}/b.npy`, npy(values, [n, t, Q]));
  const report = softjac("run", folder, "-o", out, "--shard-rows", "4");
  expect(report.status).toBe(0);
  const args = ["--input", "b.npy", "--row", "2", "--position", "3"];
  expect(softjac("show", out, ...args).stdout).toContain("row 2, position 3");
  const shard = `${out}part-00006-of-00008.arrow`;
  const verified = softjac("verify", shard, "--input", `${folder}/b.npy`);
  expect(verified.status).toBe(0);
});

test("verify detects a repeated, a missing and a misplaced index", async () => {
  await run({ emit: ["entropy"] });
  const bytes = readFileSync(output);
  const rows = Buffer.from(
    BigInt64Array.from(indices, ([row = 0]) => BigInt(row)).buffer,
  );
  const start = bytes.indexOf(rows) + 128;
  const other = new Int32Array(bytes.buffer, bytes.byteOffset + start, n * t);
  expect([...other]).toEqual(indices.map(([, position]) => position));
  const verify = (k: number, position: number) => {
    const before = other[k] as number;
    other[k] = position;
    const path = at("damaged.arrow");
    writeFileSync(path, bytes);
    other[k] = before;
    const args = ["--input", input, "--sample", "1000"];
    const found = softjac("verify", path, ...args, "--json");
    expect(found.status).not.toBe(0);
    return found.stdout;
  };
  expect(verify(7, 1)).toContain(
    "table row 6: expected an index from row 1, position 1 to row 1, position 1, found row 1, position 1",
  );
  expect(verify(14, 9)).toContain("found a position outside of its axis");
});

test("a copied array must not have the name of an index column", async () => {
  const archive = at("named.npz");
  writeFileSync(
    archive,
    zip({
      "logits.npy": npy(values, [n, t, Q]),
      "position.npy": npy(new Float64Array(n * t), [n * t]),
    }),
  );
  const keep = ["position"];
  const options = { input: archive, column: "logits", keep };
  await expect(run(options)).rejects.toThrow(
    "--keep position: the output has a column position of its own",
  );
});
