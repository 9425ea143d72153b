import fc from "fast-check";
import { expect, test } from "vitest";
import {
  canonicalJson,
  fingerprintOf,
  planShards,
} from "../../src/dataset/dataset-plan.js";

test("shards have every row once, in order, and nearly equal sizes", () => {
  const input = fc.record({
    rows: fc.integer({ min: 0, max: 30_000 }),
    bytesPerRow: fc.double({ min: 1, max: 1e6, noNaN: true }),
  });
  const shardRows = fc.integer({ min: 100, max: 1e6 });
  const limits = fc.record({
    shardRows: fc.option(shardRows, { nil: undefined }),
    shardBytes: fc.integer({ min: 1e6, max: 1e9 }),
  });
  const none = { rows: 0, bytesPerRow: 8 };
  const small = { shardRows: undefined, shardBytes: 100 };
  fc.assert(
    fc.property(fc.array(input, { maxLength: 5 }), limits, (inputs, limit) => {
      let next = 0;
      const shards = planShards(inputs, limit);
      for (const [k, { rows, bytesPerRow }] of inputs.entries()) {
        const most =
          limit.shardRows ??
          Math.max(1, Math.floor(limit.shardBytes / bytesPerRow));
        const sizes: number[] = [];
        for (let end = 0; end < rows || sizes.length === 0; next++) {
          const shard = shards[next];
          expect(shard).toMatchObject({ input: k, rowStart: end });
          sizes.push((shard?.rowEnd ?? 0) - end);
          end = shard?.rowEnd ?? rows;
          expect(end).toBeLessThanOrEqual(rows);
        }
        const [min, max] = [Math.min(...sizes), Math.max(...sizes)];
        if (rows > 0) expect(min).toBeGreaterThan(0);
        expect(max).toBeLessThanOrEqual(Math.max(most, 0));
        expect(max - min).toBeLessThanOrEqual(1);
      }
      expect(shards.length).toBe(next);
    }),
    // An input without rows has one shard.
    { examples: [[[none, { rows: 2, bytesPerRow: 60 }, none], small]] },
  );
});

test("canonical JSON depends on neither the order of keys nor undefined properties", () => {
  const value = { b: [1, { d: null, c: "x" }], a: undefined, 1: true };
  expect(canonicalJson(value)).toBe('{"1":true,"b":[1,{"c":"x","d":null}]}');
  expect(fingerprintOf({ a: 1, b: 2 })).toBe(fingerprintOf({ b: 2, a: 1 }));
  expect(fingerprintOf({ a: 1 })).not.toBe(fingerprintOf({ a: "1" }));
  // printf '{"a":1}' | sha256sum
  expect(fingerprintOf({ a: 1 })).toBe("015abd7f5cc57a2d");
});
