import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isS3 } from "../../src/io/location.js";
import { openS3Store } from "../../src/storage/s3/s3-store.js";
import { PIECE_BYTES, PIECES_AT_ONCE } from "../../src/storage/s3/uploads.js";
import { inFlight, StagedFile } from "../../src/storage/staged-file.js";
import { workDirectory } from "../support/logits-input.js";
import { BUCKET, s3World } from "../support/s3/s3-world.js";

// What is in memory of an object does not grow with the object: bytes on their way are counted, not waited for.

const at = workDirectory();
mkdirSync(at("x"));
const world = await s3World();
const { endpoint, server } = world;
const MIB = 2 ** 20;
const bytes = Buffer.alloc(56 * MIB + 12_345, "softjac ");

test("an object of many pieces is sent with a few in memory", async () => {
  const path = join(at("x"), "part");
  writeFileSync(path, bytes);
  const store = await openS3Store({ endpoint });
  inFlight.peak = 0;
  expect(await store.putIfAbsent(`s3://${BUCKET}/sent/part`, path)).toBe(true);
  expect(inFlight.peak).toBeGreaterThan(PIECE_BYTES);
  expect(inFlight.peak).toBeLessThanOrEqual(PIECES_AT_ONCE * PIECE_BYTES);
  expect(inFlight.bytes).toBe(0);
  expect(world.under("sent").get("part")?.equals(bytes)).toBe(true);
  const pieces = server.served.filter(({ query }) => query.has("partNumber"));
  expect(pieces).toHaveLength(8);
  for (const { headers } of pieces)
    expect(headers["x-amz-checksum-sha256"]).toMatch(/=$/);
});

test("an object is fetched with some answers' pieces in memory", async () => {
  server.put(BUCKET, "read/large", bytes);
  const store = await openS3Store({ endpoint });
  const name = `s3://${BUCKET}/read/large`;
  const state = await store.head(name);
  if (!state) throw new Error("expected the object");
  const staged = new StagedFile(store, name, state, at("x"));
  inFlight.peak = 0;
  await staged.fetch([{ start: 0, end: state.bytes }]);
  // An answer's stream gives 64 KiB at once.
  expect(inFlight.peak).toBeLessThan(4 * MIB);
  expect(inFlight.peak).toBeGreaterThan(0);
  expect(statSync(`/proc/self/fd/${staged.fd}`).size).toBe(bytes.byteLength);
  expect(staged.present.missing([{ start: 0, end: state.bytes }])).toEqual([]);
  staged.close();
});

test("of an object that is staged only what was fetched takes room on the disk", async () => {
  const store = await openS3Store({ endpoint });
  const name = `s3://${BUCKET}/read/large`;
  const state = await store.head(name);
  if (!state) throw new Error("expected the object");
  const staged = new StagedFile(store, name, state, at("x"));
  await staged.fetch([{ start: 30 * MIB, end: 30 * MIB + 10 }]);
  const { blocks } = statSync(`/proc/self/fd/${staged.fd}`);
  expect(512 * blocks).toBeLessThan(MIB);
  expect(() => staged.present.check(0, 1)).toThrow("have not been fetched");
  staged.present.check(30 * MIB, 10);
  staged.close();
});

test("what is a location on S3, and what is a path", () => {
  expect(["s3://a/b", "S3://a", "s3:/a", "/s3://a", "a/s3"].map(isS3)).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
