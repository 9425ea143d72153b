import fc from "fast-check";
import { expect, test } from "vitest";
import {
  canonicalJson,
  fingerprintOf,
  planShards,
} from "../../src/dataset/dataset-plan.js";
import {
  recordName,
  runFolders,
  shardFileName,
} from "../../src/dataset/names.js";

test("shards have every row once, in order, and are of about one size", () => {
  const input = fc.record({
    rows: fc.integer({ min: 0, max: 30_000 }),
    bytesPerRow: fc.double({ min: 1, max: 1e6, noNaN: true }),
  });
  const limits = fc.record({
    shardRows: fc.option(fc.integer({ min: 100, max: 1e6 }), {
      nil: undefined,
    }),
    shardBytes: fc.integer({ min: 1e6, max: 1e9 }),
  });
  fc.assert(
    fc.property(fc.array(input, { maxLength: 5 }), limits, (inputs, limit) => {
      const shards = planShards(inputs, limit);
      for (const [k, { rows, bytesPerRow }] of inputs.entries()) {
        const own = shards.filter((shard) => shard.input === k);
        if (rows === 0) {
          expect(own).toEqual([{ input: k, rowStart: 0, rowEnd: 0 }]);
          continue;
        }
        const most =
          limit.shardRows ??
          Math.max(1, Math.floor(limit.shardBytes / bytesPerRow));
        expect(own[0]?.rowStart).toBe(0);
        expect(own.at(-1)?.rowEnd).toBe(rows);
        for (const [n, { rowStart, rowEnd }] of own.entries()) {
          expect(rowEnd).toBeGreaterThan(rowStart);
          expect(rowEnd - rowStart).toBeLessThanOrEqual(most);
          if (n > 0) expect(rowStart).toBe(own[n - 1]?.rowEnd);
        }
        const sizes = own.map(({ rowStart, rowEnd }) => rowEnd - rowStart);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
      expect(shards.map(({ input }) => input)).toEqual(
        shards.map(({ input }) => input).sort((a, b) => a - b),
      );
    }),
  );
});

test("an input without rows has one shard without rows", () => {
  const none = { rows: 0, bytesPerRow: 8 };
  const limits = { shardRows: undefined, shardBytes: 100 };
  const empty = (input: number) => ({ input, rowStart: 0, rowEnd: 0 });
  expect(planShards([none, none], limits)).toEqual([empty(0), empty(1)]);
  expect(planShards([none, { rows: 2, bytesPerRow: 60 }], limits)).toEqual([
    empty(0),
    { input: 1, rowStart: 0, rowEnd: 1 },
    { input: 1, rowStart: 1, rowEnd: 2 },
  ]);
});

test("canonical JSON: the order of keys and what is undefined do not count, all else does", () => {
  const value = { b: [1, { d: null, c: "x" }], a: undefined, 1: true };
  expect(canonicalJson(value)).toBe('{"1":true,"b":[1,{"c":"x","d":null}]}');
  expect(fingerprintOf({ a: 1, b: 2 })).toBe(fingerprintOf({ b: 2, a: 1 }));
  expect(fingerprintOf({ a: 1 })).not.toBe(fingerprintOf({ a: "1" }));
  // printf '{"a":1}' | sha256sum
  expect(fingerprintOf({ a: 1 })).toBe("015abd7f5cc57a2d");
});

test("names", () => {
  expect(shardFileName(7, 128)).toBe("part-00007-of-00128.arrow");
  expect(recordName(123456)).toBe("_commits/123456.json");
  expect(runFolders("/data/out/", "f00")).toEqual({
    out: "/data/out",
    wip: "/data/out.__wip-f00",
    tmp: "/data/out.__tmp-f00",
    old: "/data/out.__old-f00",
  });
});
