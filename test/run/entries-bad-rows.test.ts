import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();

const bad = (r: number) => [3, 4, 17, 58, 59].includes(r);
function writeBad(path: string, rows = 60): void {
  writeLogits(path, {
    rows,
    classes: 3,
    batchRows: [7],
    logit: (r, k) => (bad(r) && k === 1 ? Number.NaN : Math.sin(3 * r + k)),
  });
}

test("bad rows: error names the first, null stores null lists, skip leaves gaps", async () => {
  const input = at("bad.arrow");
  writeBad(input);
  for (const layout of ["csr", "coo"] as const)
    await expect(
      built.run({ input, output: at("none.arrow"), layout }),
    ).rejects.toMatchObject({ code: "ERR_BAD_ROW", row: 3 });
  expect(readdirSync(dirname(input)).filter((f) => /none/.test(f))).toEqual([]);

  const nulls = flechette(
    readFileSync(await written({ input, layout: "csr", onBadRow: "null" }, 60)),
    { useBigInt: false },
  );
  for (const name of ["softmax", "indices", "values", "dropped_max"])
    expect(
      Array.from({ length: 60 }, (_, r) => nulls.getChild(name).at(r) === null),
    ).toEqual(Array.from({ length: 60 }, (_, r) => bad(r)));

  const good = Array.from({ length: 60 }, (_, r) => r).filter((r) => !bad(r));
  const gaps = flechette(
    readFileSync(await written({ input, layout: "csr", onBadRow: "skip" }, 60)),
    { useBigInt: false },
  );
  expect([...gaps.getChild("row").toArray()]).toEqual(good);
  for (const name of ["softmax", "indices", "values", "dropped_sum"])
    expect([...gaps.getChild(name)]).toEqual(
      [...nulls.getChild(name)].filter((_, r) => !bad(r)),
    );
  const pairs = flechette(
    readFileSync(await written({ input, layout: "coo", onBadRow: "skip" }, 60)),
    { useBigInt: false },
  );
  expect([...new Set(pairs.getChild("row").toArray())]).toEqual(good);
  expect(pairs.numRows).toBe(good.length * 9);
});

async function written(
  options: Omit<RunOptions, "output">,
  rows: number,
): Promise<string> {
  const output = at("bad-out.arrow");
  const report = await built.run({ ...options, output, force: true });
  expect(report).toMatchObject({ rowsDone: rows, badRows: 5, firstBadRow: 3 });
  return output;
}
