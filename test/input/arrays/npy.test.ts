import { readFileSync } from "node:fs";
import { test } from "vitest";
import {
  columnsFirst,
  type NpyOptions,
  npy,
} from "../../support/array-files.js";
import {
  all,
  arrayRuns,
  bodiesOf,
  CLASSES,
  expectBytes,
  ROWS,
} from "../../support/array-runs.js";
import { built } from "../../support/built.js";
import { writeLogits } from "../../support/logits-input.js";

// What a file of arrays gives has the same record batches, byte for byte, as that of an Arrow file of the same values.

const { paths, outputOf, ofLogits } = arrayRuns();
const whole = {
  float32: bodiesOf(await ofLogits("float32")),
  float64: bodiesOf(await ofLogits("float64")),
};

test.each([1, 2, 3] as const)(
  "version %i.0: both orders, both floats",
  async (version) => {
    const shape = [ROWS, CLASSES];
    const doubles = all.logits;
    const singles = Float32Array.from(doubles);
    const file = (values: Float32Array | Float64Array, fortran: boolean) =>
      npy(fortran ? columnsFirst(values, ROWS) : values, {
        descr: values instanceof Float32Array ? "<f4" : "<f8",
        shape,
        fortran,
        version,
      });
    for (const fortran of [false, true]) {
      expectBytes(
        bodiesOf(await outputOf("npy", file(doubles, fortran))),
        whole.float64,
      );
      expectBytes(
        bodiesOf(await outputOf("npy", file(singles, fortran))),
        whole.float32,
      );
    }
  },
);

test("headers as older and other writers leave them", async () => {
  const header = (text: string): NpyOptions => ({ shape: [], header: text });
  for (const text of [
    `{'shape': (${ROWS}L, ${CLASSES}L), 'fortran_order': False, 'descr': '<f8'}`,
    `{"descr":"<f8","fortran_order":False,"shape":(${ROWS},${CLASSES})}`,
    `  { 'descr' : u'<f8' , 'fortran_order' : False , 'shape' : [ ${ROWS} , ${CLASSES} , ] , } `,
  ])
    expectBytes(
      bodiesOf(await outputOf("headers", npy(all.logits, header(text)))),
      whole.float64,
    );
  const padded = `{'descr': '<f8', 'fortran_order': False, 'shape': (${ROWS}, ${CLASSES}), ${" ".repeat(9000)}}`;
  expectBytes(
    bodiesOf(await outputOf("headers", npy(all.logits, header(padded)))),
    whole.float64,
  );
});

test("one row, and one class, in either order", async () => {
  for (const shape of [
    [1, ROWS * CLASSES],
    [ROWS * CLASSES, 1],
  ]) {
    const [c, f] = await Promise.all(
      [false, true].map((fortran) =>
        outputOf(`edge ${fortran}`, npy(all.logits, { shape, fortran }), {
          emit: ["softmax", "entropy"],
        }),
      ),
    );
    expectBytes(f, c);
  }
});

test("no rows", async () => {
  const { input, output } = paths("empty arrow");
  writeLogits(input, { rows: 0, classes: 4, logit: () => 0 });
  await built.run({ input, output });
  for (const fortran of [false, true])
    expectBytes(
      bodiesOf(
        await outputOf(
          "empty",
          npy(new Float64Array(0), { shape: [0, 4], fortran }),
        ),
      ),
      bodiesOf(readFileSync(output)),
    );
});
