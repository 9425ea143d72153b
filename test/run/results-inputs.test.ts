import { expect, test } from "vitest";
import type { EmitName } from "../../src/results/catalogue.js";
import { built } from "../support/built.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { workDirectory } from "../support/logits-input.js";
import { inMemory, read, rowsOf } from "../support/plain-rows.js";

const at = workDirectory();

test("--class replaces a class column; a class out of range is an error", async () => {
  const all = inputs(20, 4);
  const input = at("class.arrow");
  writeInputs(input, all, 20);
  const output = at("class-out.arrow");
  const options = {
    input,
    output,
    column: "logits",
    emit: ["column" as const],
  };
  await built.run({ ...options, class: 3 });
  const J = rowsOf(inMemory(all, ["jacobian"]).jacobian as Float64Array, 20);
  expect(read(output, "column")).toEqual(
    J.map((block) => (block as number[]).filter((_, n) => n % 4 === 3)),
  );
  await expect(
    built.run({ ...options, class: 4, force: true }),
  ).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: "class: expected a class from 0 to 3, found 4",
  });
});

test("a row without a label is an error or null", async () => {
  const all = inputs(200, 5);
  all.label[150] = -100;
  all.label[151] = -1;
  const input = at("labels.arrow");
  writeInputs(input, all, 64);
  const options = {
    input,
    output: at("labels-out.arrow"),
    column: "logits",
    label: "y",
    emit: ["gradient", "softmax", "cross_entropy"] as EmitName[],
  };
  await expect(built.run(options)).rejects.toMatchObject({
    code: "ERR_BAD_ROW",
    row: 150,
    message: expect.stringContaining(
      "row 150: expected a class from 0 to 4 in y, found -100 (--on-bad-row null",
    ),
  });
  const report = await built.run({ ...options, onBadRow: "null" });
  expect(report).toMatchObject({ badRows: 2, firstBadRow: 150 });
  for (const name of options.emit) {
    const column = read(options.output, name);
    column.forEach((value, r) => {
      expect(value === null).toBe(r === 150 || r === 151);
    });
  }
});

test("a cotangent that is not finite, has the wrong length, or is missing", async () => {
  const all = inputs(30, 5);
  all.cotangent[7 * 5 + 2] = Number.NaN;
  const input = at("vjp.arrow");
  writeInputs(input, all, 30);
  const options = {
    input,
    output: at("vjp-out.arrow"),
    column: "logits",
    emit: ["vjp" as const],
  };
  await expect(built.run({ ...options, cotangent: "g" })).rejects.toThrow(
    "row 7: expected finite numbers in g, found NaN at 2",
  );
  await expect(built.run({ ...options, cotangent: "s" })).rejects.toThrow(
    "column s: expected 5 values in a row of 5 classes, found 15; write one float per class for each row",
  );
  await expect(built.run({ ...options, cotangent: "h" })).rejects.toThrow(
    "--cotangent h: no such column; the file has y: int64",
  );
  await expect(built.run({ ...options, cotangent: "y" })).rejects.toThrow(
    "column y: expected fixed_size_list or list of float32 or float64 for --cotangent, found int64; write one float per class for each row",
  );
});
