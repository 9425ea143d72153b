import { float16Value } from "../../arrow/stored-numbers.js";

/** Encoding of numbers that are not little-endian numbers of their type; such arrays are decoded to a temporary file. */
export interface NumberCoding {
  /** Bytes per stored number. */
  width: number;
  /** Decodes to little-endian numbers of the array's type; may modify `stored`. */
  decode(stored: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

export function bigEndian(width: 2 | 4 | 8): NumberCoding {
  return {
    width,
    decode(stored) {
      const swap = `swap${8 * width}` as "swap16" | "swap32" | "swap64";
      Buffer.from(stored.buffer)[swap]();
      return stored;
    },
  };
}

/** Booleans of one byte each; accepted as labels only. */
export const BOOLEANS: NumberCoding = { width: 1, decode: (stored) => stored };

/** 8-bit floats (OCP 8-bit floating point, 2023), decoded exactly to float32, by safetensors name. */
export const FLOAT8: Readonly<Record<string, NumberCoding>> = {
  F8_E4M3: float8(e4m3Value),
  // E5M2 is the upper half of a float16.
  F8_E5M2: float8((bits) => float16Value(bits << 8)),
};

/** Decodes E4M3: sign, 4 bits of exponent (bias 7), 3 bits of fraction; no infinities. */
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
