import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { runCoo, runCsr } from "../support/entries-runs.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();

test("an example larger than the target size has its own record batch", async () => {
  const classes = 1800;
  const input = at("large.arrow");
  writeLogits(input, { rows: 3, classes, logit: (r, k) => ((r + k) % 9) / 9 });
  const { report, examples } = await runCsr(at("csr.arrow"), {
    input,
    emit: ["jacobian"],
  });
  expect(report).toMatchObject({
    recordBatches: 3,
    entries: 3 * classes ** 2,
  });
  expect(examples[2]?.indices.at(-1)).toBe(classes ** 2 - 1);
  const { softmax } = built.softmaxResults(
    Float64Array.from({ length: classes }, (_, k) => ((2 + k) % 9) / 9),
    { rows: 1, classes, emit: ["softmax"] },
  );
  const [p, q] = [softmax?.[5], softmax?.[1700]] as [number, number];
  expect(examples[2]?.values[5 * classes + 1700]).toBe(-(p * q));
}, 60_000);

test("masked classes have no entries; no rows give no batches", async () => {
  const input = at("masked.arrow");
  writeLogits(input, {
    rows: 6,
    classes: 4,
    logit: (r, k) => (k === r % 4 ? -Infinity : k),
  });
  const { examples } = await runCsr(at("csr.arrow"), { input });
  examples.forEach(({ indices, droppedMax, droppedSum }, r) => {
    expect(indices).toHaveLength(9);
    expect(
      indices.every((n) => n % 4 !== r % 4 && Math.floor(n / 4) !== r % 4),
    ).toBe(true);
    expect([droppedMax, droppedSum]).toEqual([0, 0]);
  });
  const empty = at("empty.arrow");
  writeLogits(empty, { rows: 0, classes: 4, logit: () => 0 });
  expect(
    (await runCsr(at("csr.arrow"), { input: empty })).report.recordBatches,
  ).toBe(0);
  expect((await runCoo(at("coo.arrow"), { input: empty })).table.numRows).toBe(
    0,
  );
});

test("csr rejects more classes than int32 indices can hold, coo does not", async () => {
  const classes = 50_000;
  const input = at("wide.arrow");
  writeLogits(input, { rows: 2, classes, logit: (r, k) => -(k + r) / 3 });
  await expect(
    built.run({ input, output: at("w.arrow"), layout: "csr", topK: 9 }),
  ).rejects.toThrow(
    "expected at most 46340 classes in layout csr, whose indices are int32, found 50000; use --layout factored, --layout packed, --layout coo --threshold T, or --emit softmax",
  );
  const { report, array } = await runCoo(at("coo.arrow"), {
    input,
    threshold: 1e-6,
  });
  expect(report.entries).toBe(array("value").length);
  // p_i p_j = p_0² e^(-(i+j)/3) >= 1e-6 with p_0 = 1 - e^(-1/3)
  const p = (k: number) => (1 - Math.exp(-1 / 3)) * Math.exp(-k / 3);
  let expected = 0;
  for (let i = 0; i < 100; i++)
    for (let j = 0; j < 100; j++)
      if ((i === j ? p(i) * (1 - p(i)) : p(i) * p(j)) >= 1e-6) expected++;
  expect(report.entries).toBe(2 * expected);
});

test("an aborted run leaves no files", async () => {
  const input = at("many-2.arrow");
  writeLogits(input, {
    rows: 90_000,
    classes: 9,
    logit: (r, k) => r % (k + 2),
  });
  const controller = new AbortController();
  await expect(
    built.run(
      { input, output: at("gone.arrow"), layout: "coo", threads: 2 },
      {
        signal: controller.signal,
        onProgress: () => controller.abort(new Error("enough")),
      },
    ),
  ).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(readdirSync(dirname(input)).filter((f) => /gone/.test(f))).toEqual([]);
});
