import fs from "node:fs";
import { describe, expect, test } from "vitest";
import { openStore } from "../../src/storage/open-store.js";
import { PosixStore } from "../../src/storage/posix-store.js";
import {
  filesIn,
  hasFolders,
  hashOf,
  replace,
} from "../../src/storage/store.js";
import { workDirectory } from "../support/logits-input.js";
import { refused } from "../support/refused.js";
import { BUCKET, s3World } from "../support/s3/s3-world.js";

// Directories and S3 pass the same tests.

const at = workDirectory();
const { server, endpoint } = await s3World();
// Listings have several pages.
server.pageSize = 2;
const bytes = (text: string) => new TextEncoder().encode(text);

describe.each([
  ["directories", at("store"), {}],
  ["S3", `s3://${BUCKET}/store`, { endpoint }],
])("%s", (_, root, access) => {
  let folders = 0;
  /** Returns a store, an empty directory in it, and a local file. */
  async function newFolder() {
    const store = await openStore(root, access, at("."));
    const folder = `${root}/${folders++}`;
    if (hasFolders(store)) await store.makeFolder(folder);
    const file = store.temporaryName();
    fs.writeFileSync(file, "of a file");
    const textOf = async (name: string) =>
      new TextDecoder().decode((await store.read(name)) ?? bytes("none"));
    return { store, folder, file, name: `${folder}/name`, textOf };
  }
  const ignore = async () => {};

  test("a name that does not exist", async () => {
    const { store, folder, name } = await newFolder();
    expect(await store.head(name)).toBe(null);
    expect(await store.read(name)).toBe(null);
    expect(await hashOf(store, name)).toBe(null);
    for (const empty of [folder, name])
      expect(await store.list(empty)).toEqual(new Map());
    await store.remove(name);
    const range = { start: 0, end: 1 };
    const read = store.readRange(name, range, ignore);
    await refused(read, "ERR_INPUT_MISSING");
  });

  test("bytes or a file are put under a new name; the first stay", async () => {
    const { store, folder, file, name, textOf } = await newFolder();
    const other = `${folder}/other`;
    const before = Date.now() - 60_000;
    expect(await store.putIfAbsent(name, bytes("first"))).toBe(true);
    expect(await store.putIfAbsent(name, bytes("second"))).toBe(false);
    expect(await store.putIfAbsent(name, file)).toBe(false);
    expect(fs.existsSync(file)).toBe(true);
    expect(await store.putIfAbsent(other, file)).toBe(true);
    expect(fs.existsSync(file)).toBe(false);
    expect([await textOf(name), await textOf(other)]).toEqual([
      ...["first", "of a file"],
    ]);
    const found = await store.head(name);
    expect(found).toMatchObject({ isFile: true, isFolder: false, bytes: 5 });
    expect(found?.modified).toBeGreaterThan(before);
    expect(await hashOf(store, name)).toBe(
      "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e",
    );
    await store.remove(name);
    expect(await store.head(name)).toBe(null);
    expect(await store.putIfAbsent(name, bytes("again"))).toBe(true);
  });

  test("names are listed in order, by prefix; directories are not files", async () => {
    const { store, folder } = await newFolder();
    if (hasFolders(store)) await store.makeFolder(`${folder}/a`);
    for (const name of ["b-2", "b-1", "a/inner", "c"])
      await store.putIfAbsent(`${folder}/${name}`, bytes(name));
    const names = async (start?: string) =>
      [...(await store.list(folder, start)).keys()].join(" ");
    expect(await names()).toBe("a b-1 b-2 c");
    expect(await names("b-")).toBe("b-1 b-2");
    const files = [...(await filesIn(store, folder)).keys()];
    expect(files.sort().join(" ")).toBe("b-1 b-2 c");
  });

  test("a range is read in order, up to the end of the file", async () => {
    const { store, name } = await newFolder();
    const all = Uint8Array.from({ length: 3_000_000 }, (_, k) => k % 251);
    await store.putIfAbsent(name, all);
    const { etag } = (await store.head(name)) ?? {};
    const range = { start: 5, end: 2_500_000, etag };
    const found: Uint8Array[] = [];
    let next = 5;
    await store.readRange(name, range, async (piece, position) => {
      expect(position).toBe(next);
      next += piece.byteLength;
      found.push(piece.slice());
    });
    expect(Buffer.concat(found).equals(all.subarray(5, 2_500_000))).toBe(true);
    const stop = AbortSignal.abort();
    await refused(store.readRange(name, range, ignore, stop), "ERR_ABORTED");
  });

  test("bytes or a file replace a file", async () => {
    const { store, file, name, textOf } = await newFolder();
    await store.putIfAbsent(name, bytes("old"));
    await replace(store, name, bytes("new"));
    expect(await textOf(name)).toBe("new");
    await replace(store, name, file);
    expect(await textOf(name)).toBe("of a file");
    expect(fs.existsSync(file)).toBe(false);
  });
});

test("an object whose key is that of its prefix has an empty name", async () => {
  const [marked, folder] = ["marked/", "marked/folder/"];
  for (const key of [marked, `${folder}x`, `${folder}/y`])
    server.put(BUCKET, key, Buffer.of());
  const store = await openStore(`s3://${BUCKET}`, { endpoint });
  const names = async (path: string) => [
    ...(await store.list(`s3://${BUCKET}/${path}`)).keys(),
  ];
  expect(await names("marked")).toEqual(["", "folder"]);
  expect(await names("marked/folder")).toEqual(["", "x"]);
});

test("a directory is removed although another process still writes into it", async () => {
  const folder = at("busy");
  const write = (name: string) => fs.writeFileSync(`${folder}/${name}`, "");
  fs.mkdirSync(folder);
  for (let k = 0; k < 500; k++) write(`${k}`);
  let puts = 0;
  const timer = setInterval(() => {
    if (++puts > 50 || !fs.existsSync(folder)) return clearInterval(timer);
    for (let k = 0; k < 20; k++) write(`late-${puts}-${k}`);
  });
  await new PosixStore(at("tmp")).remove(folder);
  clearInterval(timer);
  expect(puts).toBeGreaterThan(0);
  expect(fs.existsSync(folder)).toBe(false);
});
