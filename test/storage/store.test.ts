import { existsSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { openStore } from "../../src/storage/open-store.js";
import {
  filesIn,
  hasFolders,
  hashOf,
  replace,
  type Store,
} from "../../src/storage/store.js";
import { workDirectory } from "../support/logits-input.js";
import { BUCKET, s3World } from "../support/s3/s3-world.js";

// The contract of a store: folders and S3 pass the same tests.

const at = workDirectory();
const { endpoint } = await s3World();
const bytes = (text: string) => new TextEncoder().encode(text);
const textOf = (found: Uint8Array | null) =>
  found && new TextDecoder().decode(found);

describe.each([
  ["folders", at("store"), {}],
  ["S3", `s3://${BUCKET}/store`, { endpoint }],
])("%s", (_, root, access) => {
  let folders = 0;
  /** A store, a folder of it in which nothing is, and a file of this machine. */
  async function newFolder() {
    const store: Store = await openStore(root, access, at("."));
    const folder = `${root}/${folders++}`;
    if (hasFolders(store)) await store.makeFolder(folder);
    const file = store.temporaryName();
    writeFileSync(file, "of a file");
    return { store, folder, file };
  }

  test("nothing is under a name", async () => {
    const { store, folder } = await newFolder();
    const name = `${folder}/none`;
    expect(await store.head(name)).toBe(null);
    expect(await store.read(name)).toBe(null);
    expect(await hashOf(store, name)).toBe(null);
    expect(await store.list(folder)).toEqual(new Map());
    expect(await store.list(name)).toEqual(new Map());
    await store.remove(name);
    await expect(
      store.readRange(name, { start: 0, end: 1 }, async () => {}),
    ).rejects.toMatchObject({ code: "ERR_INPUT_MISSING" });
  });

  test("bytes, or a file, are put where nothing is; the first stays", async () => {
    const { store, folder, file } = await newFolder();
    const [one, two] = [`${folder}/one`, `${folder}/two`];
    const before = Date.now() - 60_000;
    expect(await store.putIfAbsent(one, bytes("first"))).toBe(true);
    expect(await store.putIfAbsent(one, bytes("second"))).toBe(false);
    expect(await store.putIfAbsent(one, file)).toBe(false);
    expect(existsSync(file)).toBe(true);
    expect(await store.putIfAbsent(two, file)).toBe(true);
    expect(existsSync(file)).toBe(false);
    expect(textOf(await store.read(one))).toBe("first");
    expect(textOf(await store.read(two))).toBe("of a file");
    const found = await store.head(one);
    expect(found).toMatchObject({ isFile: true, isFolder: false, bytes: 5 });
    expect(found?.modified).toBeGreaterThan(before);
    expect(await hashOf(store, one)).toBe(
      "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e",
    );
    await store.remove(one);
    expect(await store.head(one)).toBe(null);
    expect(await store.putIfAbsent(one, bytes("again"))).toBe(true);
  });

  test("names are listed in order, by their start; folders are no files", async () => {
    const { store, folder } = await newFolder();
    if (hasFolders(store)) await store.makeFolder(`${folder}/a`);
    for (const name of ["b-2", "b-1", "a/inner", "c"])
      await store.putIfAbsent(`${folder}/${name}`, bytes(name));
    const namesOf = async (start?: string) => [
      ...(await store.list(folder, start)).keys(),
    ];
    expect(await namesOf()).toEqual(["a", "b-1", "b-2", "c"]);
    expect(await namesOf("b-")).toEqual(["b-1", "b-2"]);
    expect([...(await filesIn(store, folder)).keys()].sort()).toEqual([
      "b-1",
      "b-2",
      "c",
    ]);
  });

  test("a range is read in order; a file that is shorter ends it", async () => {
    const { store, folder } = await newFolder();
    const name = `${folder}/long`;
    const all = Uint8Array.from({ length: 3_000_000 }, (_, k) => k % 251);
    await store.putIfAbsent(name, all);
    const { etag } = (await store.head(name)) ?? {};
    const found: Uint8Array[] = [];
    let next = 5;
    const range = { start: 5, end: 2_500_000, etag };
    await store.readRange(name, range, async (piece, position) => {
      expect(position).toBe(next);
      next += piece.byteLength;
      found.push(piece.slice());
    });
    expect(Buffer.concat(found).equals(all.subarray(5, 2_500_000))).toBe(true);
    const stop = AbortSignal.abort();
    await expect(
      store.readRange(name, range, async () => {}, stop),
    ).rejects.toMatchObject({ code: "ERR_ABORTED" });
  });

  test("content is replaced where that is asked for", async () => {
    const { store, folder, file } = await newFolder();
    const name = `${folder}/name`;
    await store.putIfAbsent(name, bytes("old"));
    await replace(store, name, bytes("new"));
    expect(textOf(await store.read(name))).toBe("new");
    await replace(store, name, file);
    expect(textOf(await store.read(name))).toBe("of a file");
    expect(existsSync(file)).toBe(false);
  });
});
