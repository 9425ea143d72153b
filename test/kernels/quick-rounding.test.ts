import { describe, expect, test } from "vitest";
import { PRODUCT, SOFTMAX } from "../../src/kernels/portable/codes.js";
import { hardRows } from "../support/hard-rows.js";
import { type Entry, stored, testKernel } from "../support/kernels.js";
import { normal, random } from "../support/random.js";

// The SIMD kernel rounds float32 results from less exact values wherever an error bound shows that the bits stay the
// same; the plain kernel always takes the exact way. Drawn values almost never lie close enough to the middle between
// two float32 to test that bound, so the last tests of this file construct such values.

const plain = testKernel("plain", 16 << 20);
const simd = testKernel("simd", 16 << 20);

type Rows = ArrayLike<number>[];

/** How many values have other bits than those of the plain kernel, among all. */
function differing(
  rows: Rows,
  vectors: Rows,
  source: "float32" | "float64" = "float32",
  temperature = 1,
): { values: number; other: number } {
  const classes = (rows[0] as ArrayLike<number>).length;
  const input = vectors.map((vector) => Array.from(vector));
  const softmax: Entry = { code: SOFTMAX, values: classes };
  const product: Entry = { code: PRODUCT, values: classes, input };
  const shape = { source, out: "float32", temperature } as const;
  let [values, other] = [0, 0];
  for (const entries of [[softmax], [softmax, product]]) {
    const a = stored(plain, rows, entries, shape);
    const b = stored(simd, rows, entries, shape);
    expect(b.bad).toEqual(a.bad);
    a.results.forEach((expected, n) => {
      const found = bitsOf(b.results[n] as Float32Array);
      bitsOf(expected as Float32Array).forEach((bits, k) => {
        values++;
        if (bits !== found[k]) other++;
      });
    });
  }
  return { values, other };
}

function bitsOf({ buffer, byteOffset, length }: Float32Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}

function drawn(rows: number, classes: number, draw: () => number): Rows {
  return Array.from({ length: rows }, () =>
    Float32Array.from({ length: classes }, draw),
  );
}

describe.each([
  ["near", 3],
  ["confident", 12],
  ["far apart, down to the subnormals of float32", 60],
])("logits %s", (_, scale) => {
  test.each([10, 7])("%i classes, 400,000 values", (classes) => {
    const gauss = normal(random(scale * classes));
    let values = 0;
    while (values < 4e5) {
      const found = differing(
        drawn(4000, classes, () => scale * gauss()),
        drawn(4000, classes, gauss),
      );
      expect(found.other).toBe(0);
      values += found.values;
    }
  });
});

test.each([1, 2, 3, 64, 1001, 4095, 4096, 4097])("%i classes", (classes) => {
  const gauss = normal(random(classes));
  const rows = drawn(9, classes, () => 6 * gauss());
  const vectors = drawn(9, classes, gauss);
  expect(differing(rows, vectors).other).toBe(0);
});

test.each([0.5, 0.7, 3, 1e-3, 1e3])("temperature %d", (temperature) => {
  const gauss = normal(random(9));
  const rows = drawn(2000, 10, () => 6 * gauss());
  const vectors = drawn(2000, 10, gauss);
  const { other } = differing(rows, vectors, "float32", temperature);
  expect(other).toBe(0);
});

describe("rows and vectors that are hard", () => {
  const gauss = normal(random(5));

  test("logits from float64: hard rows", () => {
    for (const { rows } of hardRows())
      for (const row of rows) {
        const vector = Array.from({ length: row.length }, gauss);
        expect(differing([row], [vector], "float64").other).toBe(0);
      }
  });

  test.each<[string, (r: number, k: number) => number]>([
    ["all the same: the product is 0", () => 0.1],
    ["the same but for one", (r, k) => (k === r % 10 ? 1 : 0.1)],
    ["nearly the same", (_, k) => 1e6 + k * 1e-9],
    ["very large", (r, k) => 1e35 * Math.sin(r + k)],
    ["beyond float32", (r, k) => 1e200 * Math.sin(r + k)],
    ["beyond all of e", (r, k) => 1e290 * Math.sin(r + k)],
    ["very small", (r, k) => 1e-300 * Math.sin(r + k)],
    ["zeros of both signs", (r, k) => (r % 2 ? -0 : 0) * (k + 1)],
    ["one of them no number", (r, k) => (r % 3 === 0 && k === 4 ? NaN : k)],
    [
      "one of them infinite",
      (r, k) => (r % 3 === 0 && k === 4 ? -Infinity : k),
    ],
  ])("vectors %s", (_, at) => {
    const vectors = Array.from({ length: 200 }, (_, r) =>
      Array.from({ length: 10 }, (_, k) => at(r, k)),
    );
    const rows = drawn(200, 10, () => 8 * gauss());
    expect(differing(rows, vectors).other).toBe(0);
    // masked classes, and differences that float32 has no e for
    const far = rows.map((row, r) =>
      Array.from(row, (o, k) =>
        k % 3 === r % 3 ? -Infinity : k === 7 ? -650 - r : o,
      ),
    );
    expect(differing(far, vectors).other).toBe(0);
  });

  test("bad rows among good ones, and ties", () => {
    const rows = drawn(300, 10, () => Math.round(3 * gauss())).map((row, r) =>
      Array.from(row, (o) =>
        r % 50 === 7 ? -Infinity : r % 50 === 20 && o > 1 ? NaN : o,
      ),
    );
    const { other } = differing(rows, drawn(300, 10, gauss));
    expect(other).toBe(0);
  });

  // R's NA, the mark of a null, and others: the payload of a NaN must not become an exponent.
  test.each([
    0x7ff00000000007a2n,
    0x7ff800006e756c6cn,
    0xfff800000003ff80n,
    0x7ff8000000000080n,
    0x7fffffffffffffffn,
  ])("a NaN of the bits %s makes a bad row, wherever it stands", (bits) => {
    for (const classes of [2, 3, 10]) {
      const rows = Array.from({ length: classes }, (_, k) => {
        const row = Float64Array.from({ length: classes }, gauss);
        new BigUint64Array(row.buffer)[k] = bits;
        return row;
      });
      const softmax: Entry = { code: SOFTMAX, values: classes };
      const shape = { source: "float64", out: "float32" } as const;
      const { bad } = stored(simd, rows, [softmax], shape);
      expect([...bad]).toEqual(rows.map((_, r) => r));
      const vectors = drawn(classes, classes, gauss);
      expect(differing(rows, vectors, "float64").other).toBe(0);
    }
  });

  test("most rows are not sure: the careful way takes over, for all that follow", () => {
    const constant = Array.from({ length: 500 }, () => Array(10).fill(2));
    const rows = drawn(500, 10, gauss);
    expect(differing(rows, constant).other).toBe(0);
  });
});

describe("values next to the middle between two float32", () => {
  const uniform = random(77);

  /** The middle above a random float32 of about 2^-depth to 1. */
  function middle(depth: number): number {
    const value = Math.fround(2 ** (-depth * uniform()) * (0.25 + uniform()));
    return value + 2 ** (Math.floor(Math.log2(value)) - 24);
  }

  /** Every eighth row is hard: after too many rows that need the exact way, the kernel takes it for all that follow. */
  function differingAmong(hard: () => number[]): number {
    const classes = hard().length;
    let other = 0;
    for (let round = 0; round < 10; round++) {
      const rows = Array.from({ length: 4000 }, (_, r) =>
        r % 8 === 0
          ? hard()
          : Array.from({ length: classes }, (_, k) =>
              k === 0 ? 0 : -3 * uniform(),
            ),
      );
      const entries = [{ code: SOFTMAX, values: classes }];
      const shape = { source: "float64", out: "float32" } as const;
      const [expected] = stored(plain, rows, entries, shape).results;
      const [found] = stored(simd, rows, entries, shape).results;
      const bits = bitsOf(found as Float32Array);
      bitsOf(expected as Float32Array).forEach((value, k) => {
        if (value !== bits[k]) other++;
      });
    }
    return other;
  }

  test("two classes", () => {
    const hard = () => {
      const p = middle(40);
      return [0, Math.log(p) - Math.log1p(-p)];
    };
    expect(differingAmong(hard)).toBe(0);
  });

  // The quick way loses 2^-53 for each unit of the difference to the largest logit.
  test("a small class far below the others", () => {
    const hard = () => {
      const others = Array.from({ length: 60 }, (_, k) =>
        k ? -2 * uniform() : 0,
      );
      const sum = others.reduce((total, o) => total + Math.exp(o), 0);
      const p = middle(20) * 2 ** -100;
      return [...others, Math.log(p) + Math.log(sum) - Math.log1p(-p)];
    };
    expect(differingAmong(hard)).toBe(0);
  });

  // Equal values whose low bits are lost, again and again in the same direction, in the plain sum of the quick way: for
  // 2^20 classes it is too small by some 2^-36, more than the bound. It must leave so many classes to the exact way.
  test("2^20 classes, whose plain sum is worse than the bound", () => {
    const classes = 2 ** 20;
    const step = 2 ** -35; // of float64 at half the sum
    let logit = -0.9;
    const lost = () => Math.exp(logit) % step;
    while (lost() < 0.4 * step || lost() > 0.48 * step) logit -= 1e-6;
    const hard = Array.from(
      { length: 100 },
      () => middle(1) * 2 ** -20 * (1 - 2 ** -37.3),
    );
    const rest = classes - 1 - hard.length;
    const others = hard.reduce((total, p) => total + p, 0);
    const sum = (1 + rest * Math.exp(logit)) / (1 - others);
    const row = new Float64Array(classes).fill(logit);
    row[0] = 0;
    for (const [k, p] of hard.entries()) row[k + 1] = Math.log(p * sum);
    const entries = [{ code: SOFTMAX, values: classes }];
    const shape = { source: "float64", out: "float32" } as const;
    const [expected, found] = (["plain", "simd"] as const).map((name) =>
      bitsOf(
        stored(testKernel(name, 192 << 20), [row], entries, shape)
          .results[0] as Float32Array,
      ),
    ) as [Int32Array, Int32Array];
    expect(Buffer.compare(bytesOf(found), bytesOf(expected))).toBe(0);
  });
});

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
