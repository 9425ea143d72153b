import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isRemote } from "../../../src/io/location.js";
import { openS3Store } from "../../../src/storage/s3/s3-store.js";
import {
  PIECE_BYTES,
  PIECES_AT_ONCE,
} from "../../../src/storage/s3/uploads.js";
import { StagedFile } from "../../../src/storage/staged-file.js";
import type { Sink, Stored } from "../../../src/storage/store.js";
import { workDirectory } from "../../support/logits-input.js";
import { BUCKET, s3World } from "../../support/s3/s3-world.js";

// Memory does not grow with objects: the bytes that are being sent or written to the disk are counted.

const at = workDirectory();
mkdirSync(at("x"));
const { endpoint, server, under } = await s3World();
const store = await openS3Store({ endpoint });
const inFlight = { bytes: 0, peak: 0 };
async function hold<T>(bytes: number, work: () => Promise<T>): Promise<T> {
  inFlight.bytes += bytes;
  inFlight.peak = Math.max(inFlight.peak, inFlight.bytes);
  return work().finally(() => {
    inFlight.bytes -= bytes;
  });
}
const { send, readRange } = store;
store.send = (name, call, bytes = 0) =>
  hold(bytes, () => send.call(store, name, call, bytes) as Promise<never>);
store.readRange = (name, range, sink, stop) => {
  const write: Sink = (bytes, offset) =>
    hold(bytes.byteLength, () => sink(bytes, offset));
  return readRange.call(store, name, range, write, stop);
};
const MIB = 2 ** 20;
const bytes = Buffer.alloc(56 * MIB + 12_345, "softjac ");

test("an upload has a few pieces in memory", async () => {
  const path = at("x/part");
  writeFileSync(path, bytes);
  inFlight.peak = 0;
  expect(await store.putIfAbsent(`s3://${BUCKET}/sent/part`, path)).toBe(true);
  expect(inFlight.peak).toBeGreaterThan(PIECE_BYTES);
  expect(inFlight.peak).toBeLessThanOrEqual(PIECES_AT_ONCE * PIECE_BYTES);
  expect(inFlight.bytes).toBe(0);
  expect(under("sent").get("part")?.equals(bytes)).toBe(true);
  const pieces = server.served.filter(({ query }) => query.has("partNumber"));
  expect(pieces).toHaveLength(8);
  for (const { headers } of pieces)
    expect(headers["x-amz-checksum-sha256"]).toMatch(/=$/);
});

test("a staged object has a few pieces of responses in memory, and on disk only what was fetched", async () => {
  server.put(BUCKET, "read/large", bytes);
  const name = `s3://${BUCKET}/read/large`;
  const state = (await store.head(name)) as Stored;
  const stage = () => new StagedFile(store, name, state, at("x"));
  const stats = ({ fd }: StagedFile) => statSync(`/proc/self/fd/${fd}`);
  const whole = stage();
  const all = [{ start: 0, end: state.bytes }];
  inFlight.peak = 0;
  await whole.fetch(all);
  // The stream of a response gives 64 KiB at once.
  expect(inFlight.peak).toBeLessThan(4 * MIB);
  expect(inFlight.peak).toBeGreaterThan(0);
  expect(stats(whole).size).toBe(bytes.byteLength);
  expect(whole.present.missing(all)).toEqual([]);
  whole.close();
  const part = stage();
  await part.fetch([{ start: 30 * MIB, end: 30 * MIB + 10 }]);
  expect(512 * stats(part).blocks).toBeLessThan(MIB);
  expect(() => part.present.check(0, 1)).toThrow("have not been fetched");
  part.present.check(30 * MIB, 10);
  part.close();
});

test.each([
  ["s3://a/b", true],
  ["S3://a", true],
  ["s3:/a", false],
  ["/s3://a", false],
  ["a/s3", false],
])("%s is on S3: %s", (location, expected) => {
  expect(isRemote(location)).toBe(expected);
});
