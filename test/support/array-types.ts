import { npy, safetensors, zip } from "./array-files.js";

/** Name in .npy (null: NumPy lacks the type) and in safetensors; numbers of the type from 0 to 65,520; how one is stored. */
type ArrayType = [
  descr: string | null,
  dtype: string,
  array: { from(values: Iterable<unknown>): { buffer: ArrayBufferLike } },
  number: (n: number) => number,
  stored?: (value: number) => number | bigint,
];

const sine = (n: number) => Math.sin(n) * 9;
const floatBits = (value: number) =>
  new Uint32Array(Float32Array.of(value).buffer)[0] as number;

/** The least and greatest numbers are among the first. -100 is left out, because it marks labels. */
export const ARRAY_TYPES: Record<string, ArrayType> = {
  int8: ["i1", "I8", Int8Array, (n) => (n % 28) - 128],
  uint8: ["u1", "U8", Uint8Array, (n) => 255 - (n % 256)],
  int16: ["i2", "I16", Int16Array, (n) => n - 32768],
  uint16: ["u2", "U16", Uint16Array, (n) => 65535 - n],
  int32: ["i4", "I32", Int32Array, (n) => n - 2 ** 31],
  uint32: ["u4", "U32", Uint32Array, (n) => 2 ** 32 - 1 - n],
  // As float64 these bits are signalling NaNs, which an assignment would change.
  int64: ["i8", "I64", BigInt64Array, (n) => n - 4503599627370495, BigInt],
  uint64: ["u8", "U64", BigUint64Array, (n) => 2 ** 53 - 1 - n, BigInt],
  float16: [
    ...(["f2", "F16", Uint16Array] as const),
    (n) => 16 + (n % 1024) / 64,
    (value) => (19 << 10) | ((value - 16) * 64),
  ],
  bfloat16: [
    ...([null, "BF16", Uint16Array] as const),
    (n) => (n % 2 === 0 ? 1 : -1) * (128 + (n % 128)),
    (value) => floatBits(value) >>> 16,
  ],
  float32: ["f4", "F32", Float32Array, (n) => Math.fround(sine(n))],
  float64: ["f8", "F64", Float64Array, sine],
};

export interface ArrayForm {
  fortran?: boolean;
  bigEndian?: boolean;
  /** Version of an .npy file, options of an .npz file, or safetensors, which has one order only. */
  container?: 1 | 2 | 3 | Parameters<typeof zip>[1] | "safetensors";
}

/** Returns a file with an array `a` of values in the order of the file. */
export function arrayFile(
  type: string,
  values: readonly number[],
  shape: readonly number[],
  { fortran = false, bigEndian = false, container = 1 }: ArrayForm,
): Buffer {
  const [descr, dtype, array, , stored = (value) => value] = ARRAY_TYPES[
    type
  ] as ArrayType;
  const bytes = Buffer.from(array.from(values.map(stored)).buffer);
  if (container === "safetensors")
    return safetensors({ a: { dtype, shape, values: bytes } });
  const width = Number(descr?.at(-1));
  if (bigEndian && width > 1) bytes[`swap${(8 * width) as 16 | 32 | 64}`]();
  const order = width === 1 ? "|" : bigEndian ? ">" : "<";
  const isNpy = typeof container === "number";
  const version = isNpy ? container : 1;
  const file = npy(bytes, { descr: order + descr, shape, fortran, version });
  return isNpy ? file : zip({ "a.npy": file }, container);
}
