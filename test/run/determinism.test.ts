import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import { built } from "../support/built.js";
import { setKernel } from "../support/kernels.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";

const at = workDirectory();

const gauss = normal(random(11));
const SHAPES = [
  {
    name: "many rows",
    rows: 9001,
    classes: 11,
    batchRows: [1000, 1, 37, 4096],
  },
  {
    name: "one block larger than a slot",
    rows: 5,
    classes: 700,
    batchRows: [2],
  },
] as const;

const WAYS = [
  { threads: 1 },
  { threads: 2, chunkRows: 1000 },
  { threads: 3, chunkRows: 17 },
  { threads: 2, chunkRows: 2 ** 40 },
  { threads: 2, kernel: "plain" as const },
];

afterEach(() => setKernel("simd"));

test.each(SHAPES)(
  "$name: any number of threads, chunk size and kernel gives the same bytes",
  async (shape) => {
    const input = at("in.arrow");
    writeLogits(input, {
      ...shape,
      batchRows: [...shape.batchRows],
      logit: () => 4 * gauss(),
    });
    const hashes = new Set<string>();
    for (const { kernel = "simd", ...way } of WAYS) {
      if (way.chunkRows === 17 && shape.rows < 17) continue;
      setKernel(kernel);
      const output = at("out.arrow");
      const report = await built.run({ ...way, input, output, force: true });
      expect(report.threads).toBeGreaterThan(0);
      expect(report.kernel).toBe(kernel);
      hashes.add(
        createHash("sha256").update(readFileSync(output)).digest("hex"),
      );
    }
    expect(hashes.size).toBe(1);
  },
);

test("values have the same bytes as those of the in-memory functions", async () => {
  const rows = 3000;
  const classes = 17;
  const logits = Float64Array.from(
    { length: rows * classes },
    () => 3 * gauss(),
  );
  const input = at("values.arrow");
  writeLogits(input, {
    rows,
    classes,
    logit: (r, k) => logits[r * classes + k] as number,
  });
  const output = at("values-out.arrow");
  await built.run({ input, output });
  const bytes = readFileSync(output);
  const jacobian = built.softmaxJacobian(logits, { rows, classes });
  const softmax = built.softmax(logits, { rows, classes });
  for (const values of [softmax, jacobian])
    expect(bytes.includes(Buffer.from(values.buffer))).toBe(true);
});
