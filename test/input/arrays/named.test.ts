import { readFileSync } from "node:fs";
import { int16, int64, tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import {
  columnsFirst,
  npy,
  safetensors,
  zip,
} from "../../support/array-files.js";
import {
  all,
  arrayRuns,
  CLASSES,
  expectBytes,
  ROWS,
} from "../../support/array-runs.js";
import { built } from "../../support/built.js";
import { type Inputs, writeInputs } from "../../support/inputs-input.js";

// Arrays with names: members of .npz files, tensors of safetensors. What they give is what an Arrow file of the same
// values gives, byte for byte.

const { paths, outputOf, ofLogits } = arrayRuns();
const float64 = await ofLogits("float64");

const EVERYTHING = {
  column: "logits",
  emit: [
    "softmax",
    "jacobian",
    "vjp",
    "jvp",
    "covariance",
    "cross_entropy",
    "column",
  ],
  cotangent: "g",
  tangent: "v",
  covariance: "s",
  label: "y",
  classColumn: "k",
} as const;

/** The same values as writeInputs has. */
function members(given: Inputs) {
  const { label, classColumn, cotangent, tangent, covariance, logits } = given;
  const tensor = (
    dtype: string,
    values: ArrayBufferView & { length: number },
  ) => {
    const width = values.length / ROWS;
    return { dtype, values, shape: width === 1 ? [ROWS] : [ROWS, width] };
  };
  return {
    y: tensor("I64", BigInt64Array.from(label, BigInt)),
    k: tensor("I16", Int16Array.from(classColumn)),
    logits: tensor("F64", logits),
    g: tensor("F32", Float32Array.from(cotangent)),
    v: tensor("F64", Float64Array.from(tangent)),
    s: tensor("F64", Float64Array.from(covariance)),
  };
}

function npyMembers(fortran = false): Record<string, Buffer> {
  return Object.fromEntries(
    Object.entries(members(all)).map(([name, { values, shape }]) => {
      const isTurned = fortran && shape.length > 1;
      const stored = isTurned
        ? columnsFirst(values as Float64Array, ROWS)
        : values;
      return [`${name}.npy`, npy(stored, { shape, fortran })];
    }),
  );
}

const everything = await (async () => {
  const { input, output } = paths("all arrow");
  writeInputs(input, all, 100);
  await built.run({ input, output, ...EVERYTHING });
  return readFileSync(output);
})();

test("kept arrays", async () => {
  for (const file of [
    zip(npyMembers()),
    zip(npyMembers(), { deflated: true }),
    safetensors(members(all)),
  ]) {
    const keep = ["k", "y"];
    const options = { column: "logits", emit: ["gradient"], label: "y", keep };
    const table = tableFromIPC(await outputOf("kept", file, options), {
      useBigInt: true,
    });
    expect(table.names).toEqual(["row", "k", "y", "gradient"]);
    const types = table.schema.fields.map(({ type }) => type);
    expect(types.slice(1, 3)).toEqual([int16(), int64()]);
    expect([...table.getChild("k")]).toEqual(all.classColumn);
    expect([...table.getChild("y")]).toEqual(all.label.map(BigInt));
  }
});

test.each([
  {},
  { deflated: true },
  { zip64: "local" },
  { zip64: "all", comment: "PK\x05\x06, and more of it" },
  { zip64: "all", deflated: true },
  { sizesBehind: true },
  { sizesBehind: true, deflated: true, zip64: "all" },
] as const)("npz %j: every input by its name", async (options) => {
  const file = zip(
    { ...npyMembers(), "read.me": Buffer.from("hello") },
    options,
  );
  expectBytes(await outputOf("npz", file, EVERYTHING), everything);
});

test("npz of arrays in Fortran order", async () => {
  expectBytes(
    await outputOf("npz f", zip(npyMembers(true)), EVERYTHING),
    everything,
  );
});

test("npz: a covariance of three dimensions, in both orders", async () => {
  const { logits, ...rest } = npyMembers() as Record<string, Buffer>;
  const triangle = (r: number, i: number, j: number): number => {
    const [a, b] = i < j ? [i, j] : [j, i];
    const pairs = (CLASSES * (CLASSES + 1)) / 2;
    return all.covariance[
      r * pairs + a * CLASSES - (a * (a - 1)) / 2 + b - a
    ] as number;
  };
  const c = new Float64Array(ROWS * CLASSES * CLASSES);
  const f = new Float64Array(c.length);
  // Not symmetric on purpose: which of the two indices is which must be seen.
  for (let r = 0; r < ROWS; r++)
    for (let i = 0; i < CLASSES; i++)
      for (let j = 0; j < CLASSES; j++) {
        const value = triangle(r, i, j) + i / 7;
        c[(r * CLASSES + i) * CLASSES + j] = value;
        f[r + ROWS * (i + CLASSES * j)] = value;
      }
  const three = [ROWS, CLASSES, CLASSES];
  const of = (s: Buffer) =>
    outputOf("npz 3", zip({ ...rest, "s.npy": s }), EVERYTHING);
  const matrix = await of(npy(c, [ROWS, CLASSES * CLASSES]));
  expectBytes(await of(npy(c, { shape: three })), matrix);
  expectBytes(await of(npy(f, { shape: three, fortran: true })), matrix);
});

test("safetensors: every input by its name", async () => {
  expectBytes(
    await outputOf("safetensors", safetensors(members(all)), EVERYTHING),
    everything,
  );
});

test("the only array of floats with two dimensions is taken", async () => {
  const { y, k, logits } = members(all);
  const { "y.npy": first, "k.npy": second, "logits.npy": third } = npyMembers();
  const file = zip({
    "y.npy": first,
    "k.npy": second,
    "logits.npy": third,
  } as Record<string, Buffer>);
  expectBytes(await outputOf("only", file), float64);
  expectBytes(await outputOf("only", safetensors({ y, k, logits })), float64);
});

test("verify takes the arrays for its input, deflated or not", async () => {
  for (const deflated of [false, true]) {
    const { input, output } = paths(`verify ${deflated}`);
    await outputOf(
      `verify ${deflated}`,
      zip(npyMembers(true), { deflated }),
      EVERYTHING,
    );
    const { emit, ...named } = EVERYTHING;
    const report = await built.verify({ input, output, ...named });
    expect(report).toMatchObject({ ok: true });
    expect(report.rows).toBe(ROWS);
  }
});
