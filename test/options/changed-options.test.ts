import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// The caller may reuse the options and their lists as soon as the call has begun.

const at = workDirectory();
const inputs = [0, 1].map((n) => {
  const path = at(`in${n}.arrow`);
  writeLogits(path, {
    rows: 9,
    classes: 3,
    logit: (r, k) => (n + r) % (k + 2),
  });
  return path;
});

/** Starts a call, changes its options at once, and returns its result. */
async function changed<Options extends object, Result>(
  call: (options: Options) => Promise<Result>,
  options: Options,
): Promise<Result> {
  const done = call(options);
  for (const [name, value] of Object.entries(options)) {
    if (Array.isArray(value)) value.length = 0;
    delete options[name as keyof Options];
  }
  return done;
}

test("reduce reads all inputs, also for partial sums", async () => {
  for (const partial of [false, true]) {
    const options = { emit: ["softmax" as const], partial, sync: false };
    const [output, same] = [at(`sums ${partial}`), at(`same ${partial}`)];
    await built.reduce({ ...options, inputs: [...inputs], output });
    const report = await changed(built.reduce, {
      ...{ ...options, emit: [...options.emit] },
      ...{ inputs: [...inputs], output: same },
    });
    expect(report).toMatchObject({ inputs, emit: ["softmax"], rows: 18 });
    expect(readFileSync(same)).toEqual(readFileSync(output));
  }
});

test("a dataset has the results of the call", async () => {
  const output = at("dataset");
  const report = await changed(built.runDataset, {
    ...{ inputs: [...inputs], output, sync: false },
    emit: ["entropy" as const],
  });
  expect(report.rows).toBe(18);
  const input = `${output}/part-00001-of-00002.arrow`;
  const { columns } = await built.inspect({ input });
  expect(columns.map(({ name }) => name)).toEqual(["row", "entropy"]);
});
