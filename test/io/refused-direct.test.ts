import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { SequentialFile } from "../../src/io/sequential.js";
import { openDirect, writePages } from "../../src/io/write-or-compare.js";
import { workDirectory } from "../support/logits-input.js";
import { random } from "../support/random.js";

/** Writes to `fd` end after `left` bytes more; from then on they are refused with `code`, so many times so far. */
const refusing = vi.hoisted(() => ({
  fd: -1,
  left: 0,
  code: "",
  times: 0,
  /** What was asked for. */
  asked: [] as { bytes: number; position: number }[],
}));

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  /** How much of a write goes through. */
  const allowed = (fd: number, bytes: number, position: number): number => {
    if (fd !== refusing.fd) return bytes;
    refusing.asked.push({ bytes, position });
    const part = Math.min(refusing.left, bytes);
    refusing.left -= part;
    return part;
  };
  const refusal = () => {
    refusing.times++;
    return Object.assign(new Error("refused"), { code: refusing.code });
  };
  return {
    ...fs,
    writeSync: (
      fd: number,
      source: Uint8Array,
      from: number,
      bytes: number,
      position: number,
    ): number => {
      const part = allowed(fd, bytes, position);
      if (part === 0 && bytes > 0) throw refusal();
      return fs.writeSync(fd, source, from, part, position);
    },
    write: (
      fd: number,
      source: Uint8Array,
      from: number,
      bytes: number,
      position: number,
      done: (error: Error | null, written: number) => void,
    ): void => {
      const part = allowed(fd, bytes, position);
      if (part === 0 && bytes > 0) done(refusal(), 0);
      else fs.write(fd, source, from, part, position, done);
    },
  };
});

const at = workDirectory();

/** An empty file with two descriptors, of which the one for direct writes refuses them after `left` bytes. */
function refusingAfter(left: number, code = "EINVAL") {
  const path = at("out");
  writeFileSync(path, "");
  const [fd, direct] = [openSync(path, "r+"), openSync(path, "r+")];
  Object.assign(refusing, { fd: direct, left, code, times: 0, asked: [] });
  const close = () => {
    refusing.fd = -1;
    for (const one of [fd, direct]) closeSync(one);
  };
  return { path, fd, direct, compare: false, close };
}

const memory = new WebAssembly.Memory({
  initial: 16,
  maximum: 16,
  shared: true,
}).buffer;
const source = new Uint8Array(memory);
const uniform = random(11);
for (let k = 0; k < source.length; k++) source[k] = 1 + 255 * uniform();

/** Whole pages, and ends that are not; `address` is in its page where `position` is. */
const WRITES = [
  { address: 0, bytes: 300_000, position: 0 },
  { address: 1000, bytes: 70_000, position: 4096 + 1000 },
  { address: 8192, bytes: 65_536, position: 8192 },
  { address: 4095, bytes: 500_001, position: 4095 },
];

test.each([0, 4096, 5000])(
  "writePages, refused after %i bytes: all of it stands where it belongs, the ends as well",
  (left) => {
    for (const { address, bytes, position } of WRITES) {
      const target = refusingAfter(left);
      writePages(target, memory, address, bytes, position);
      expect(refusing.times).toBe(1);
      const found = readFileSync(target.path);
      expect(found.byteLength).toBe(position + bytes);
      expect(found.subarray(0, position).every((byte) => byte === 0)).toBe(
        true,
      );
      const written = source.subarray(address, address + bytes);
      expect(Buffer.compare(found.subarray(position), written)).toBe(0);
      target.close();
    }
  },
);

test.each([0, 4096, 5000, 3 << 20])(
  "SequentialFile, refused after %i bytes: all of it stands where it belongs",
  async (left) => {
    const target = refusingAfter(left);
    const file = new SequentialFile(target.fd, target.direct);
    const pieces: Uint8Array[] = [];
    for (let n = 0; n < 12; n++) {
      const piece = source.subarray(n * 77, n * 77 + 700_001);
      pieces.push(piece);
      await file.add(piece);
    }
    await file.finish();
    expect(refusing.times).toBeGreaterThan(1);
    expect(
      Buffer.compare(readFileSync(target.path), Buffer.concat(pieces)),
    ).toBe(0);
    target.close();
  },
);

test("what has another cause is no refusal: it is thrown as it is, and not tried again", async () => {
  const target = refusingAfter(4096, "ENOSPC");
  expect(() => writePages(target, memory, 0, 300_000, 0)).toThrow(
    expect.objectContaining({ code: "ENOSPC" }),
  );
  expect(readFileSync(target.path).byteLength).toBe(4096);
  target.close();

  const other = refusingAfter(4096, "ENOSPC");
  const file = new SequentialFile(other.fd, other.direct);
  await file.add(source);
  await expect(file.finish()).rejects.toMatchObject({ code: "ENOSPC" });
  await file.settled();
  expect(readFileSync(other.path).byteLength).toBe(4096);
  other.close();
});

test("memory that starts on no page, where the disk itself may refuse it", () => {
  const path = at("unaligned");
  writeFileSync(path, "");
  const [fd, direct] = [openSync(path, "r+"), openDirect(path)];
  const ordinary = source.slice().buffer;
  for (const { address, bytes, position } of WRITES) {
    writePages(
      { fd, direct, compare: false },
      ordinary,
      address,
      bytes,
      position,
    );
    const found = readFileSync(path).subarray(position, position + bytes);
    const written = source.subarray(address, address + bytes);
    expect(Buffer.compare(found, written)).toBe(0);
  }
  closeSync(fd);
  if (direct >= 0) closeSync(direct);
});

test("only whole pages are asked for past the page cache: no disk has a reason to refuse them", async () => {
  for (const { address, bytes, position } of WRITES) {
    const target = refusingAfter(Number.POSITIVE_INFINITY);
    writePages(target, memory, address, bytes, position);
    const first = Math.ceil(position / 4096) * 4096;
    const last = Math.floor((position + bytes) / 4096) * 4096;
    expect(refusing.asked).toEqual([{ bytes: last - first, position: first }]);
    target.close();
  }
  const target = refusingAfter(Number.POSITIVE_INFINITY);
  const file = new SequentialFile(target.fd, target.direct);
  for (let n = 0; n < 9; n++) await file.add(source.subarray(n, 500_000));
  await file.finish();
  for (const { bytes, position } of refusing.asked)
    expect([bytes % 4096, position % 4096]).toEqual([0, 0]);
  const direct = refusing.asked.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(direct).toBe(file.position - (file.position % 4096));
  target.close();
});
