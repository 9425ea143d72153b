import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { built } from "../support/built.js";
import { runsIn, upTo } from "../support/runs.js";

// Arrays with more than one axis of rows: `row` is the index along the first, and each further axis has an index column.

const { at, run: runIn, output } = runsIn();
const [n, t, Q] = [3, 5, 4];
const logit = (row: number, position: number, k: number) =>
  ((row * 7 + position * 5 + k * 3) % 11) / 2 - 2;
const values = Float64Array.from(upTo(n * t * Q), (at) =>
  logit(Math.floor(at / Q / t), Math.floor(at / Q) % t, at % Q),
);
const input = at("tokens.npy");
writeFileSync(input, npy(values, [n, t, Q]));
const run: typeof runIn = (options, hooks) =>
  runIn({ input, ...options }, hooks);
const indices = upTo(n * t).map((r) => [Math.floor(r / t), r % t]);
const verifies = (file = input, path = output) =>
  expect(softjac("verify", path, "--input", file)).toMatchObject({ status: 0 });

function softmax([row = 0, position = 0]: number[]): number[] {
  const e = upTo(Q).map((k) => Math.exp(logit(row, position, k)));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
}

/** Returns the rows of some columns. */
const rowsOf = (column: (name: string) => number[], ...names: string[]) => {
  const [first = [], ...others] = names.map(column);
  return first.map((x, k) => [x, ...others.map((other) => other[k] as number)]);
};

test.each(["bsr", "packed", "csr", "factored", "dense"] as const)(
  "layout %s has the index of each row",
  async (layout) => {
    const emit = ["softmax", "jacobian"] as const;
    const { names, column, metadata } = await run({ layout, emit });
    expect(names.slice(0, 3)).toEqual(["row", "position", "softmax"]);
    expect(rowsOf(column, "row", "position")).toEqual(indices);
    expect(metadata["softjac.row_shape"]).toBe("3,5");
    expect(column("softmax")).toEqual(
      indices.map((index) => softmax(index).map((p) => expect.closeTo(p, 14))),
    );
    verifies();
  },
);

test.each([undefined, 2])(
  "layout coo repeats the index with each entry (%s threads)",
  async (threads) => {
    const { names, column } = await run({ layout: "coo", threads });
    expect(names).toEqual(["row", "position", "i", "j", "value"]);
    for (const [r, s, i, j, value] of rowsOf(column, ...names)) {
      const p = softmax([r as number, s as number]);
      const [own = 0, other = 0] = [p[i as number], p[j as number]];
      expect(value).toBeCloseTo(own * ((i === j ? 1 : 0) - other), 14);
    }
    verifies();
  },
);

test("each axis after the first has a column", async () => {
  const four = at("four.npy");
  writeFileSync(four, npy(values.slice(0, 48), [2, 3, 2, Q]));
  const options = { input: four, classAxis: 3, emit: ["entropy"] as const };
  const { names, column } = await run(options);
  expect(names).toEqual(["row", "position_1", "position_2", "entropy"]);
  expect(rowsOf(column, ...names.slice(0, 3))).toEqual(
    upTo(12).map((k) => [Math.floor(k / 6), Math.floor(k / 2) % 3, k % 2]),
  );
  verifies(four);
  expect(
    softjac("show", output, "--row", "1", "--position", "2,0").stdout,
  ).toContain("row 1, position_1 2, position_2 0, of 12");
});

test("errors name a bad row by its index; it can be null or skipped", async () => {
  const damaged = at("bad.npy");
  const bad = 1 * t + 2;
  writeFileSync(damaged, npy(values.with(bad * Q, Number.NaN), [n, t, Q]));
  const found = softjac("run", damaged, "-o", output, "--force");
  expect(found).toMatchObject({
    status: 65,
    stderr: expect.stringContaining(
      "bad.npy: row 1, position 2: expected finite logits or -inf for masked classes, found NaN in class 0",
    ),
  });
  for (const onBadRow of ["null", "skip"] as const)
    for (const layout of ["bsr", "csr"] as const) {
      const options = { input: damaged, onBadRow, layout };
      const { report, column } = await run(options);
      expect(report).toMatchObject({ badRows: 1, firstBadRow: 1 });
      expect(rowsOf(column, "row", "position")).toEqual(
        indices.filter((_, k) => onBadRow === "null" || k !== bad),
      );
      verifies(damaged);
    }
});

test("openJacobian and show find rows by index", async () => {
  const [a = 0, b = 0] = softmax([2, 1]);
  for (const layout of ["bsr", "coo"] as const) {
    await run({ layout });
    const reader = await built.openJacobian(output);
    const entry = await reader.entry({ row: 2, position: 1 }, 0, 1);
    expect(entry).toBeCloseTo(-a * b, 14);
    await expect(reader.block(2)).rejects.toThrow(
      `position: each row of ${output} has several results; give position (0 to 4)`,
    );
    await expect(reader.block({ row: 2, position: 5 })).rejects.toThrow(
      "found 5",
    );
    await expect(reader.block({ row: 3, position: 0 })).rejects.toMatchObject({
      code: "ERR_ROW_MISSING",
      row: 3,
    });
    for await (const { rows, positions } of reader)
      expect(
        [...rows].slice(0, 6).map((row, k) => [row, positions[0]?.[k]]),
      ).toEqual(indices.slice(0, 6));
    await reader.close();
    const shown = await built.show({ results: output, row: 2, position: [1] });
    expect(shown).toMatchObject({ row: 2, positions: [1] });
    expect(shown.block?.[0]?.[1]).toBeCloseTo(-a * b, 14);
  }
  expect(softjac("show", output, "--row", "1")).toMatchObject({
    status: 64,
    stderr: `softjac: --position: each row of ${output} has several results; give position (0 to 4)\n`,
  });
});

test("a shard shows its rows by their indices", () => {
  const [folder, out] = [at("folder"), at("dataset/")];
  mkdirSync(folder);
  writeFileSync(`${folder}/a.npy`, npy(values, [n, t, Q]));
  writeFileSync(`${folder}/b.npy`, npy(values, [n * t, Q]));
  expect(softjac("run", folder, "-o", out)).toMatchObject({
    status: 65,
    stderr: expect.stringContaining(
      "expected rows of 2 axes as in a.npy, found 1",
    ),
  });
  writeFileSync(`${folder}/b.npy`, npy(values, [n, t, Q]));
  const report = softjac("run", folder, "-o", out, "--shard-rows", "4");
  expect(report.status).toBe(0);
  const args = ["--input", "b.npy", "--row", "2", "--position", "3"];
  expect(softjac("show", out, ...args).stdout).toContain("row 2, position 3");
  verifies(`${folder}/b.npy`, `${out}part-00006-of-00008.arrow`);
});

test.each([
  ["repeated", 7, 1, "expected ascending row numbers from 7 to 14, found 6"],
  ["misplaced", 14, 9, "ascending row numbers from 0 or more, found 0 first"],
] as const)("verify detects a %s index", async (_, k, position, message) => {
  const { bytes } = await run({ emit: ["entropy"] });
  const rows = BigInt64Array.from(indices, ([row = 0]) => BigInt(row));
  const start = bytes.indexOf(Buffer.from(rows.buffer)) + 128;
  const stored = bytes.subarray(start, start + 4 * n * t);
  expect([...new Int32Array(Uint8Array.from(stored).buffer)]).toEqual(
    indices.map(([, position]) => position),
  );
  bytes.writeInt32LE(position, start + 4 * k);
  const path = at("damaged.arrow");
  writeFileSync(path, bytes);
  const args = ["--input", input, "--sample", "1000", "--json"];
  const found = softjac("verify", path, ...args);
  expect(found.status).not.toBe(0);
  expect(found.stdout).toContain(message);
});

test("a copied array must not have the name of an index column", async () => {
  const archive = at("named.npz");
  const members = {
    "logits.npy": npy(values, [n, t, Q]),
    "position.npy": npy(new Float64Array(n * t), [n * t]),
  };
  writeFileSync(archive, zip(members));
  await expect(
    run({ input: archive, column: "logits", keep: ["position"] }),
  ).rejects.toThrow(
    "--keep position: the output has a column position of its own",
  );
});
