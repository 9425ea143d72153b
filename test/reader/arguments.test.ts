import { Float64 } from "apache-arrow";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { fixedSizeList } from "../support/fixed-size-list.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { twoBlocks, writeResults } from "../support/results-file.js";

const at = workDirectory();
const input = at("in");
const output = at("out");
writeLogits(input, { rows: 5, classes: 3, logit: (r, k) => r - k });
await built.run({ input, output });

test.each([
  [{ row: 0.5 }, "row: expected a whole number, found 0.5"],
  [{ i: 3 }, "i: expected a class from 0 to 2, found 3"],
  [{ j: -1 }, "j: expected a class from 0 to 2, found -1"],
  [{ j: Number.NaN }, "j: expected a class from 0 to 2, found NaN"],
  [{ v: [1, 2] }, "v: expected 3 numbers, found 2"],
  [{ v: [1, 2, Infinity] }, "v: expected finite numbers, found Infinity at 2"],
  [{ v: undefined }, "v: expected 3 numbers, found nothing"],
  [{ v: ["1", 2, 3] }, 'v: expected finite numbers, found "1" at 0'],
])("%o", async (wrong, message) => {
  const { row, i, j } = { row: 1, i: 0, j: 0, ...wrong };
  await using reader = await built.openJacobian(output);
  const called =
    "v" in wrong
      ? reader.multiply(row, wrong.v as number[])
      : reader.entry(row, i, j);
  await expect(called).rejects.toMatchObject({ code: "ERR_USAGE", message });
});

test("a place in a batch", async () => {
  await using reader = await built.openJacobian(output);
  for await (const batch of reader) {
    expect(batch).toMatchObject({ count: 5, classes: 3 });
    await expect(batch.block(5)).rejects.toThrow(
      "k: expected an example from 0 to 4, found 5",
    );
  }
});

test("a row that is not there", async () => {
  await using reader = await built.openJacobian(output);
  const error = await reader.block(5).catch((e) => e);
  expect(error).toBeInstanceOf(built.RowMissingError);
  expect(error.message).toBe(
    `${output}: row 5: the file has 5 examples of rows 0 to 4, but not this row`,
  );
});

test("options that are unknown, cannot be, or are not what the file says", async () => {
  const path = output;
  for (const [options, message] of [
    [
      { class: 3 },
      "unknown option class; the options are classes, layout, rows, temperature, result",
    ],
    [
      { classes: 0 },
      "classes: expected a whole number from 1 to 94906265, found 0",
    ],
    [
      { layout: "bcsr" },
      'layout: expected bsr or packed or csr or coo or factored or dense, found "bcsr"',
    ],
    [
      { classes: 4 },
      `classes: expected 3 as in softjac.classes of ${path}, found 4`,
    ],
    [
      { layout: "coo" },
      `layout: expected bsr as in softjac.layout of ${path}, found "coo"`,
    ],
    [
      { temperature: 2 },
      `temperature: expected 1 as in softjac.temperature of ${path}, found 2`,
    ],
    [{ result: "log_jacobian" }, `result: ${path} has no result log_jacobian`],
  ] as const)
    await expect(
      built.openJacobian(path, options as never),
    ).rejects.toMatchObject({ code: "ERR_USAGE", message });
});

test("files that are not there, or have no blocks", async () => {
  await expect(built.openJacobian(at("none"))).rejects.toMatchObject({
    code: "ERR_INPUT_MISSING",
  });
  await expect(built.openJacobian(input)).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
    message: `${input}: schema: expected one column row, found logits: fixed_size_list<float64>[3]`,
  });
  const softmax = at("softmax");
  await built.run({ input, output: softmax, emit: ["softmax"] });
  await expect(built.openJacobian(softmax)).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
    message: `${softmax}: schema: expected a column jacobian or log_jacobian, or columns indices and values, or i, j and value, or softmax, argmax and tail, found row: int64, softmax: fixed_size_list<float64>[3]`,
  });
});

test("a file with both blocks: jacobian, or the one asked for", async () => {
  const path = at("both");
  const emit = ["log_jacobian", "jacobian"] as const;
  await built.run({ input, output: path, emit: [...emit] });
  for (const result of emit) {
    await using reader = await built.openJacobian(path, { result });
    const shape = { rows: 5, classes: 3, emit: [result] };
    const logits = Float64Array.from(
      { length: 15 },
      (_, n) => Math.floor(n / 3) - (n % 3),
    );
    const all = built.softmaxResults(logits, shape)[result];
    expect(reader.result).toBe(result);
    expect(await reader.block(4)).toEqual(all?.slice(36));
  }
  await using reader = await built.openJacobian(path);
  expect(reader.result).toBe("jacobian");
});

test("a dense tensor over 1 GiB is refused, with its size", async () => {
  const path = at("tall");
  writeResults(path, {
    columns: twoBlocks(9),
    metadata: { "softjac.rows": "4000" },
  });
  await using reader = await built.openJacobian(path);
  await expect(reader.toDense()).rejects.toMatchObject({
    code: "ERR_USAGE",
    option: "force",
    message:
      "force: expected a dense tensor of at most 1073741824 bytes, found 4000 x 3 x 4000 x 3: 1152000000 bytes; read its diagonal blocks one by one, or use force",
  });
});

test("a dense tensor that no array can hold is refused even by force", async () => {
  const path = at("taller");
  writeResults(path, {
    columns: twoBlocks(9),
    metadata: { "softjac.rows": "400000" },
  });
  await using reader = await built.openJacobian(path);
  await expect(reader.toDense({ force: true })).rejects.toMatchObject({
    code: "ERR_USAGE",
  });
});

test("multiply: cancellation costs nothing, large numbers do not overflow on the way", async () => {
  const path = at("products");
  const [row] = twoBlocks(9);
  const values = [
    [1e16, 1, -1e16, 0.1, 0.1, -0.2, 1, 1, 1],
    [1, 0, 0, 0, 1, 0, 0, 0, 1],
  ];
  writeResults(path, {
    columns: [row, ["jacobian", fixedSizeList(new Float64(), 9), values]],
  });
  await using reader = await built.openJacobian(path);
  expect(await reader.multiply(0, [1, 1, 1])).toEqual(
    Float64Array.of(1, 0.1 + 0.1 - 0.2, 3),
  );
  const large = [1.7e308, -1e300, 3];
  expect(await reader.multiply(1, large)).toEqual(Float64Array.from(large));
  expect((await reader.multiply(0, [1e300, 0, 0]))?.[0]).toBe(Infinity);
});

test("it is disposable", async () => {
  await using reader = await built.openJacobian(output);
  await reader[Symbol.asyncDispose]();
  await expect(reader.block(0)).rejects.toThrow("the reader is closed");
});
