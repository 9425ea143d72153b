import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { npy, safetensors, zip } from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";
import { verifiedRun } from "../../support/verified-run.js";

// Every type of numbers, in either order, against the library's functions on the same numbers in memory.

const at = workDirectory();
const ROWS = 37;
const CLASSES = 3;

type Numbers = ArrayBufferView & {
  length: number;
  [n: number]: number | bigint;
};
type ArrayType = { from(values: Iterable<unknown>): Numbers };

/** Whole numbers, some of them the least and the greatest that the classes' differences allow. */
const whole = (least: number) => (k: number) => ((k * 7) % 60) + least;
const quarters = (least: number) => (k: number) => ((k * 7) % 60) / 4 + least;

/** A type's name, its names in .npy and safetensors, its numbers, and how one is stored if not as itself. */
const CASES: [
  name: string,
  descr: string,
  dtype: string,
  array: ArrayType,
  value: (k: number) => number,
  stored?: (value: number) => number | bigint,
][] = [
  ["int8", "|i1", "I8", Int8Array, whole(-30)],
  ["uint8", "|u1", "U8", Uint8Array, whole(190)],
  ["int16", "<i2", "I16", Int16Array, whole(-32768)],
  ["uint16", "<u2", "U16", Uint16Array, whole(65000)],
  ["int32", "<i4", "I32", Int32Array, whole(-(2 ** 31))],
  ["uint32", "<u4", "U32", Uint32Array, whole(2 ** 32 - 60)],
  ["int64", "<i8", "I64", BigInt64Array, whole(-(2 ** 53) + 1), BigInt],
  ["uint64", "<u8", "U64", BigUint64Array, whole(2 ** 53 - 70), BigInt],
  ["float16", "<f2", "F16", Uint16Array, quarters(1), half],
  ["bfloat16", "", "BF16", Uint16Array, quarters(-8), brain],
  ["float32", "<f4", "F32", Float32Array, (k) => Math.fround(Math.sin(k) * 9)],
  ["float64", "<f8", "F64", Float64Array, (k) => Math.sin(k) * 9],
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
  const options = { emit: ["softmax" as const], dtype: "float64" as const };
  const table = await verifiedRun({ ...paths, ...options });
  return [...table.getChild("softmax")].flatMap((list) => [...list]);
}

describe.each(CASES)(
  "%s",
  (_, descr, dtype, array, value, stored = (x) => x) => {
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
  writeFileSync(at("input"), npy(values, [2, 2]));
  await expect(
    built.run({ input: at("input"), output: at("none") }),
  ).rejects.toMatchObject({
    code: "ERR_INPUT_UNSUPPORTED",
    message: `${at("input")}: column array, row 1, class 1: expected a whole number that float64 holds exactly, found 9007199254740993`,
  });
});
