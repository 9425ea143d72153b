import { closeSync, openSync, writeFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { softjac } from "../../cli/support.js";
import { npy, safetensors, zip } from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";
import { verifiedRun } from "../../support/verified-run.js";

// Labels in an .npy file of their own, beside a file of arrays.

const at = workDirectory();
const input = at("logits.npy");
const output = at("out.arrow");
const label = at("labels.npy");
const ROWS = 6;
const CLASSES = 3;
const logits = Float64Array.from(
  { length: ROWS * CLASSES },
  (_, k) => ((k * 5) % 13) / 4,
);
const classes = [2, 0, 1, 1, 0, 2];
const numbers = npy(Int32Array.from(classes), [ROWS]);

const options = {
  input,
  output,
  emit: ["cross_entropy" as const],
  force: true,
};
const expected = classes.map((y, row) => {
  const z = logits.subarray(row * CLASSES, (row + 1) * CLASSES);
  const sum = z.reduce((total, o) => total + Math.exp(o), 0);
  return expect.closeTo(Math.log(sum) - (z[y] as number), 12);
});
const firstFree = () => {
  const fd = openSync(input, "r");
  closeSync(fd);
  return fd;
};

beforeEach(() => {
  writeFileSync(input, npy(logits, [ROWS, CLASSES]));
  writeFileSync(label, numbers);
});

test.each<[name: string, file: Buffer]>([
  ["class numbers", numbers],
  ["(rows, 1), in uint8", npy(Uint8Array.from(classes), [ROWS, 1])],
  [
    "big-endian",
    npy(Uint8Array.from(classes.flatMap((y) => [0, y])), {
      descr: ">i2",
      shape: [ROWS],
    }),
  ],
  [
    "one-hot rows",
    npy(
      Float64Array.from(logits, (_, k) =>
        Number(k % CLASSES === classes[Math.floor(k / CLASSES)]),
      ),
      [ROWS, CLASSES],
    ),
  ],
])("labels: %s", async (_, file) => {
  writeFileSync(label, file);
  const table = await verifiedRun({ ...options, label });
  expect([...table.getChild("cross_entropy")]).toEqual(expected);
});

test.each<[name: string, file: Buffer]>([
  ["npz", zip({ "o.npy": npy(logits, [ROWS, CLASSES]) })],
  [
    "safetensors",
    safetensors({
      o: { dtype: "F64", shape: [2, 3, CLASSES], values: logits },
    }),
  ],
])("beside %s", async (_, file) => {
  writeFileSync(input, file);
  const table = await verifiedRun({ ...options, label });
  expect([...table.getChild("cross_entropy")]).toEqual(expected);
});

test("the name of an array wins over a path", async () => {
  const name = label.slice(0, -".npy".length);
  const zeros = npy(new Int32Array(ROWS), [ROWS]);
  writeFileSync(
    input,
    zip({
      "o.npy": npy(logits, [ROWS, CLASSES]),
      [`${label}.npy`]: numbers,
      [`${name}.npy`]: zeros,
    }),
  );
  writeFileSync(label, zeros);
  const table = await verifiedRun({ ...options, column: "o", label });
  expect([...table.getChild("cross_entropy")]).toEqual(expected);
});

test.each<[name: string, file: Uint8Array, text: string]>([
  [
    "another number of rows",
    npy(new Int32Array(5), [5]),
    "array: expected class numbers of shape [6] or [6, 1] or [6, 3] for --label, found int32 [5]",
  ],
  [
    "text",
    npy(new Uint8Array(24), { descr: "<U1", shape: [ROWS] }),
    "array: expected class numbers of shape [6] or [6, 1] or [6, 3] for --label, found <U1 (text) [6]",
  ],
  [
    "a file of another format",
    Buffer.from("0,1,2,1,0,2\n"),
    'header: expected \\x93NUMPY in the first bytes, found "0,1,2,"',
  ],
  [
    "a truncated file",
    numbers.subarray(0, -1),
    "header: expected 24 bytes of values for shape (6) of int32, found 23: the file is truncated",
  ],
  [
    "rows that are not one-hot",
    npy(new Float64Array(18), [ROWS, CLASSES]),
    "array, row 0: expected a class number or a one-hot row (one 1 among zeros)",
  ],
])("refused: %s", async (_, file, text) => {
  writeFileSync(label, file);
  const free = firstFree();
  await expect(
    built.run({ ...options, output: at("none"), label }),
  ).rejects.toThrow(`${label}: ${text}`);
  expect(firstFree()).toBe(free);
});

test("a label that is no class", async () => {
  const values = Int32Array.of(0, 1, 3, 0, 0, 0);
  writeFileSync(label, npy(values, [ROWS]));
  await expect(
    built.run({ ...options, output: at("none"), label }),
  ).rejects.toThrow(
    `${input}: row 2: expected a class from 0 to 2 in ${label}, or null, -1 or -100 for no label, found 3 (classes are counted from 0)`,
  );
});

test("neither an array nor a file", async () => {
  await expect(
    built.run({ ...options, label: at("missing.npy") }),
  ).rejects.toThrow(
    `${input}: --label ${at("missing.npy")}: no such array; the file has float64 [6, 3], and there is no .npy file at this path`,
  );
});

test("datasets refuse it", () => {
  const found = softjac(
    ...["run", input, "-o", at("dataset/"), "--label", label],
    ...["--emit", "cross_entropy"],
  );
  expect(found).toMatchObject({
    status: 64,
    stderr:
      "softjac: --label: a dataset reads the labels from its inputs; save logits and labels in one file with numpy.savez\n",
  });
});
