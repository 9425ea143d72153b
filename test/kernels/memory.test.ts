import { expect, test } from "vitest";
import { bothKernels } from "../support/kernels.js";

// Functions of a kernel that move values.

const kernels = bothKernels();

test("interleave stores columns in row-major order", () => {
  for (const { kernel, buffer } of kernels)
    for (const Words of [Int8Array, Int16Array, Float32Array, BigInt64Array]) {
      const at = (address: number) => new Words(buffer as never, address, 6);
      // As float64 these bits are signalling NaNs, which an assignment would change.
      const word = (n: number) =>
        Words === BigInt64Array ? BigInt(n) - 2n ** 52n : n;
      at(1024).set([1, 2, 10, 20, 100, 127].map(word) as never);
      kernel.interleave(1024, 2, 3, Words.BYTES_PER_ELEMENT, 2048);
      expect([...at(2048)]).toEqual([1, 10, 100, 2, 20, 127].map(word));
    }
});

test("storeRowNumbers counts from the first row", () => {
  for (const { kernel, buffer } of kernels) {
    kernel.storeRowNumbers(2 ** 40, 3, 4096);
    const found = [...new BigInt64Array(buffer, 4096, 3)];
    expect(found).toEqual([0n, 1n, 2n].map((k) => 1099511627776n + k));
  }
});

test.each([4, 8])(
  "repeat stores a value of %i bytes as often as asked, and no further",
  (bytes) => {
    const value = [0x12345678, 0x0abcdef0].slice(0, bytes / 4);
    for (const { kernel, buffer } of kernels)
      for (const count of [0, 1, 2, 3, 4, 7, 64, 65]) {
        const words = new Int32Array(buffer, 1024, 200).fill(-1);
        new Int32Array(buffer, 512, 2).set(value);
        kernel.repeat(1024, 512, bytes, count);
        const expected = Array(count).fill(value).flat();
        expect([...words.subarray(0, expected.length + 3)]).toEqual(
          expected.concat([-1, -1, -1]),
        );
      }
  },
);
