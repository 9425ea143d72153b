import { float16Value } from "../../arrow/stored-numbers.js";

/** Storage of numbers other than as little-endian numbers of their type: they are decoded to a temporary file. */
export interface NumberCoding {
  /** Bytes of a stored number. */
  width: number;
  /** Returns stored numbers as little-endian numbers of their type; may change `stored`. */
  decode(stored: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

const SWAPS = { 2: "swap16", 4: "swap32", 8: "swap64" } as const;

/** Returns the coding of numbers of 2, 4 or 8 bytes, the most significant byte first. */
export function bigEndian(width: keyof typeof SWAPS): NumberCoding {
  return {
    width,
    decode(stored) {
      Buffer.from(stored.buffer)[SWAPS[width]]();
      return stored;
    },
  };
}

/** Booleans, one byte each, which labels may be. */
export const BOOLEANS: NumberCoding = { width: 1, decode: (stored) => stored };

/** Floats of 8 bits, which float32 holds exactly, by their names in safetensors (OCP 8-bit floating point, 2023). */
export const FLOAT8: Readonly<Record<string, NumberCoding>> = {
  F8_E4M3: float8(e4m3Value),
  // The upper half of a float16.
  F8_E5M2: float8((bits) => float16Value(bits << 8)),
};

/** Returns the value of a sign, 4 bits of exponent (bias 7) and 3 of fraction; there are no infinities. */
function e4m3Value(bits: number): number {
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  if (exponent === 15 && fraction === 7) return Number.NaN;
  return exponent === 0
    ? sign * fraction * 2 ** -9
    : sign * (8 + fraction) * 2 ** (exponent - 10);
}

function float8(read: (bits: number) => number): NumberCoding {
  const values = Float32Array.from({ length: 256 }, (_, bits) => read(bits));
  return {
    width: 1,
    decode(stored) {
      const numbers = new Float32Array(stored.length);
      for (let k = 0; k < stored.length; k++)
        numbers[k] = values[stored[k] as number] as number;
      return new Uint8Array(numbers.buffer);
    },
  };
}
