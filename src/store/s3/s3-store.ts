import { createHash } from "node:crypto";
import { readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pooled } from "../../io/pooled.js";
import { isAlive, processMark } from "../../io/process-mark.js";
import { randomHex } from "../../io/random-name.js";
import { s3Place } from "../location.js";
import type { S3Access } from "../s3-options.js";
import type { Store, Stored } from "../store.js";
import { type Listed, type Objects, openObjects } from "./objects.js";
import { PIECE_BYTES, putFileIfAbsent, refuseReplacing } from "./put-file.js";

/** Of the names of temporary files. */
const PREFIX = "softjac-";

/** Requests at once for many small objects. */
const REQUESTS_AT_ONCE = 16;

/** @throws ConfigurationError, UsageError */
export async function openS3Store(options: S3Access): Promise<S3Store> {
  return new S3Store(await openObjects(options));
}

/**
 * Objects of S3. Names are s3://bucket/key; a folder is what keys have before a slash, and is there as long as one has.
 * An object is never replaced: whatever is put, is put where nothing is.
 */
export class S3Store implements Store {
  #uploadsChecked: Promise<void> | null = null;

  constructor(readonly objects: Objects) {}

  async stat(name: string): Promise<Stored | null> {
    const found = await this.objects.head(s3Place(name));
    return found && fileOf(found);
  }

  async list(folder: string, start = ""): Promise<string[]> {
    const names: string[] = [];
    for await (const { objects, prefixes } of this.#inside(folder, start)) {
      names.push(...objects.map(({ key }) => lastOf(key)));
      names.push(...prefixes.map((key) => lastOf(key.slice(0, -1))));
    }
    return names.sort();
  }

  async files(folder: string): Promise<Map<string, Stored>> {
    const found = new Map<string, Stored>();
    for await (const { objects } of this.#inside(folder))
      for (const object of objects)
        found.set(lastOf(object.key), fileOf(object));
    return found;
  }

  async read(
    name: string,
    start = 0,
    end?: number,
  ): Promise<Uint8Array | null> {
    const bytes = await this.objects.read(s3Place(name));
    return bytes?.subarray(start, end) ?? null;
  }

  async hash(name: string, signal?: AbortSignal): Promise<string | null> {
    const place = s3Place(name);
    const found = await this.objects.head(place);
    if (!found) return null;
    const hash = createHash("sha256");
    const { bytes: end, etag } = found;
    await this.objects.readRange(
      place,
      { start: 0, end, etag },
      async (bytes) => {
        hash.update(bytes);
      },
      signal,
    );
    return hash.digest("hex");
  }

  putIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    return this.objects.putIfAbsent(s3Place(name), bytes);
  }

  async checkUploads(
    file: string,
    name: string,
    there: Uint8Array,
  ): Promise<void> {
    if ((await stat(file)).size <= PIECE_BYTES) return;
    this.#uploadsChecked ??= refuseReplacing(
      this.objects,
      s3Place(name),
      there,
    ).catch((error) => {
      this.#uploadsChecked = null;
      throw error;
    });
    await this.#uploadsChecked;
  }

  async publish(file: string, name: string): Promise<boolean> {
    const isNew = await putFileIfAbsent(this.objects, s3Place(name), file);
    if (isNew) await rm(file, { force: true });
    return isNew;
  }

  /**
   * The object is removed first, since an object is only ever put where none is: whoever reads in between finds none.
   * Where another process was quicker to put it, that object stays.
   */
  async replace(name: string, content: Uint8Array | string): Promise<void> {
    await this.objects.remove(s3Place(name));
    if (typeof content !== "string") await this.putIfAbsent(name, content);
    else if (!(await this.publish(content, name)))
      await rm(content, { force: true });
  }

  async remove(name: string): Promise<void> {
    const place = s3Place(name);
    await this.objects.remove(place);
    const folder = { ...place, key: `${place.key}/` };
    const keys: string[] = [];
    for await (const { objects } of this.objects.list(folder))
      keys.push(...objects.map(({ key }) => key));
    await pooled(keys, REQUESTS_AT_ONCE, (key) =>
      this.objects.remove({ ...place, key }),
    );
  }

  temporaryName(): string {
    const random = randomHex(12);
    return join(tmpdir(), `${PREFIX}${processMark()}-${random}`);
  }

  async removeStale(): Promise<void> {
    for (const name of await readdir(tmpdir()))
      if (name.startsWith(PREFIX) && isAlive(name) === false)
        await rm(join(tmpdir(), name), { force: true });
  }

  #inside(folder: string, start = ""): AsyncGenerator<Listed> {
    const { bucket, key } = s3Place(folder);
    const inside = key === "" ? start : `${key}/${start}`;
    return this.objects.list({ bucket, key: inside }, { delimiter: "/" });
  }
}

function lastOf(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

function fileOf({
  bytes,
  modified,
}: Omit<Stored, "isFile" | "isFolder">): Stored {
  return { isFile: true, isFolder: false, bytes, modified };
}
