import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { npy, safetensors, zip } from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";

// Every type of numbers, in either order, against the library's functions on the same numbers in memory.

const at = workDirectory();
const ROWS = 37;
const CLASSES = 3;

type Numbers = ArrayBufferView & {
  length: number;
  [n: number]: number | bigint;
};
type ArrayType = { from(values: Iterable<unknown>): Numbers };

interface Case {
  name: string;
  descr: string;
  dtype: string;
  array: ArrayType;
  /** Whole numbers, some of them the least and the greatest that the classes' differences allow. */
  value(k: number): number;
  /** As stored, where that is not the number itself. */
  stored?(value: number): number | bigint;
}

const whole = (least: number) => (k: number) => ((k * 7) % 60) + least;
const CASES: Case[] = [
  {
    name: "int8",
    descr: "|i1",
    dtype: "I8",
    array: Int8Array,
    value: whole(-30),
  },
  {
    name: "uint8",
    descr: "|u1",
    dtype: "U8",
    array: Uint8Array,
    value: whole(190),
  },
  {
    name: "int16",
    descr: "<i2",
    dtype: "I16",
    array: Int16Array,
    value: whole(-32768),
  },
  {
    name: "uint16",
    descr: "<u2",
    dtype: "U16",
    array: Uint16Array,
    value: whole(65000),
  },
  {
    name: "int32",
    descr: "<i4",
    dtype: "I32",
    array: Int32Array,
    value: whole(-(2 ** 31)),
  },
  {
    name: "uint32",
    descr: "<u4",
    dtype: "U32",
    array: Uint32Array,
    value: whole(2 ** 32 - 60),
  },
  {
    name: "int64",
    descr: "<i8",
    dtype: "I64",
    array: BigInt64Array,
    value: whole(-(2 ** 53) + 1),
    stored: BigInt,
  },
  {
    name: "uint64",
    descr: "<u8",
    dtype: "U64",
    array: BigUint64Array,
    value: whole(2 ** 53 - 70),
    stored: BigInt,
  },
  {
    name: "float16",
    descr: "<f2",
    dtype: "F16",
    array: Uint16Array,
    value: (k) => ((k * 7) % 60) / 4 + 1,
    stored: half,
  },
  {
    name: "bfloat16",
    descr: "",
    dtype: "BF16",
    array: Uint16Array,
    value: (k) => ((k * 7) % 60) / 4 - 8,
    stored: brain,
  },
  {
    name: "float32",
    descr: "<f4",
    dtype: "F32",
    array: Float32Array,
    value: (k) => Math.fround(Math.sin(k) * 9),
  },
  {
    name: "float64",
    descr: "<f8",
    dtype: "F64",
    array: Float64Array,
    value: (k) => Math.sin(k) * 9,
  },
];

/** The bits of a positive normal number that float16 holds. */
function half(value: number): number {
  const exponent = Math.floor(Math.log2(value));
  return ((exponent + 15) << 10) | ((value / 2 ** exponent - 1) * 1024);
}

/** The upper half of a float32's bits. */
function brain(value: number): number {
  return (new Uint32Array(Float32Array.of(value).buffer)[0] as number) >>> 16;
}

async function softmaxOf(file: Buffer): Promise<number[]> {
  writeFileSync(at("input"), file);
  const paths = { input: at("input"), output: at("output") };
  await built.run({
    ...paths,
    emit: ["softmax"],
    dtype: "float64",
    force: true,
  });
  const report = await built.verify(paths);
  expect(report.ok).toBe(true);
  const lists = tableFromIPC(readFileSync(paths.output)).getChild("softmax");
  return [...lists].flatMap((list: Float64Array) => [...list]);
}

describe.each(CASES)(
  "$name",
  ({ descr, dtype, array, value, stored = (x) => x }) => {
    const shape = [ROWS, CLASSES];
    const inC = Array.from({ length: ROWS * CLASSES }, (_, k) => value(k));
    const values = array.from(inC.map(stored));
    const inFortran = array.from(
      inC.map((_, at) =>
        stored(inC[(at % ROWS) * CLASSES + Math.floor(at / ROWS)] as number),
      ),
    );
    const expected = [
      ...built.softmax(Float64Array.from(inC), {
        rows: ROWS,
        classes: CLASSES,
      }),
    ];

    const c = npy(values, { descr, shape });
    const f = npy(inFortran, { descr, shape, fortran: true });
    const files: [name: string, file: Buffer][] = [
      ["npy, in C order", c],
      ["npy, in Fortran order", f],
      ["npz", zip({ "a.npy": c })],
      ["npz, deflated", zip({ "a.npy": f }, { deflated: true })],
    ];
    // NumPy has no bfloat16 of its own.
    test.each(descr === "" ? [] : files)("%s", async (_, file) => {
      expect(await softmaxOf(file)).toEqual(expected);
    });

    test("safetensors", async () => {
      const file = safetensors({ a: { dtype, shape, values } });
      expect(await softmaxOf(file)).toEqual(expected);
    });
  },
);

test("whole numbers that float64 does not hold are refused, not rounded", async () => {
  const values = BigInt64Array.of(1n, 2n, 3n, 2n ** 53n + 1n);
  writeFileSync(at("input"), npy(values, { descr: "<i8", shape: [2, 2] }));
  await expect(
    built.run({ input: at("input"), output: at("none") }),
  ).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
    message: `${at("input")}: column array, row 1, class 1: expected a whole number that float64 holds exactly, found 9007199254740993`,
  });
});
