import { tmpdir } from "node:os";
import type { _Object, GetObjectCommandOutput, S3 } from "@aws-sdk/client-s3";
import { IoError, ServiceUnavailableError } from "../../errors.js";
import type { StoreAccess } from "../store.js";
import {
  type ObjectStore,
  type Sink,
  type Stored,
  type StoredRange,
  type StoredUpload,
  TemporaryFiles,
} from "../store.js";
import { itemsOf, keyOf } from "./pages.js";
import { type Attempt, BadTransfer, isRefused, Requests } from "./requests.js";
import { openClient } from "./sdk.js";
import {
  checkUploads,
  isInPieces,
  putFileIfAbsent,
  uploadsIn,
} from "./uploads.js";

/** Clients by their options, so that credentials are read and connections opened once. */
const clients = new Map<string, Promise<S3>>();

export async function openS3Store({
  endpoint,
  region,
  signal,
}: StoreAccess): Promise<S3Store> {
  const key = JSON.stringify([endpoint, region]);
  const client = clients.get(key) ?? openClient({ endpoint, region });
  clients.set(key, client);
  client.catch(() => clients.delete(key));
  return new S3Store(await client, new Requests(), signal);
}

/** Objects of S3, with names `s3://bucket/key`. */
export class S3Store extends TemporaryFiles implements ObjectStore {
  #uploadsChecked: Promise<void> | null = null;

  constructor(
    private readonly client: S3,
    private readonly requests = new Requests(),
    private readonly signal?: AbortSignal,
  ) {
    super(tmpdir(), "softjac-");
  }

  /** Returns the same store with another abort signal. */
  withSignal(signal: AbortSignal): S3Store {
    return new S3Store(this.client, this.requests, signal);
  }

  async head(name: string): Promise<Stored | null> {
    const response = await this.#unlessMissing(() =>
      this.send(name, (s3, options) => s3.headObject(keyOf(name), options)),
    );
    return response && fileOf(name, response.ContentLength, response);
  }

  async list(folder: string, start = ""): Promise<Map<string, Stored | null>> {
    const entries: [string, Stored | null][] = [];
    for await (const [name, stored] of this.#entries(`${folder}/${start}`, "/"))
      entries.push([name.slice(name.lastIndexOf("/") + 1), stored]);
    return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async *listAll(start: string): AsyncGenerator<[string, Stored]> {
    for await (const [name, stored] of this.#entries(start))
      if (stored) yield [name, stored];
  }

  read(name: string): Promise<Uint8Array | null> {
    return this.#unlessMissing(() =>
      this.requests.make(name, this.signal, async (attempt) => {
        const response = await this.client.getObject(keyOf(name), {
          abortSignal: attempt.signal,
        });
        const pieces: Uint8Array[] = [];
        const take = async (bytes: Uint8Array) => void pieces.push(bytes);
        await drain(response, attempt, take);
        const all = Buffer.concat(pieces);
        // A chunked response may end early without an error.
        const bytes = response.ContentLength ?? (await this.head(name))?.bytes;
        if (all.byteLength !== bytes)
          throw new BadTransfer(
            `the response ended after ${all.byteLength} of ${bytes} bytes`,
          );
        return all;
      }),
    );
  }

  /** Reads a range; after a response that ends early, requests the rest. */
  async readRange(
    name: string,
    { start, end, etag }: StoredRange,
    sink: Sink,
    stop = this.signal,
  ): Promise<void> {
    let offset = start;
    const read = async (attempt: Attempt) => {
      if (offset >= end) return;
      const Range = `bytes=${offset}-${end - 1}`;
      const request = { ...keyOf(name), Range, ...(etag && { IfMatch: etag }) };
      const how = { abortSignal: attempt.signal };
      const response = await this.client.getObject(request, how);
      checkRange(name, response, offset, end);
      // An abandoned attempt may still be running; it must not change the offset of the next one.
      let position = offset;
      await drain(response, attempt, async (bytes) => {
        await sink(bytes, position);
        position += bytes.byteLength;
        if (!attempt.signal.aborted) offset = position;
      });
      if (offset < end)
        throw new BadTransfer(`the response ended ${end - offset} bytes early`);
    };
    await this.requests.make(name, stop, read);
  }

  async putIfAbsent(
    name: string,
    content: Uint8Array | string,
  ): Promise<boolean> {
    if (typeof content === "string")
      return putFileIfAbsent(this, name, content);
    const put = {
      ...{ ...keyOf(name), Body: content, IfNoneMatch: "*" },
      ChecksumAlgorithm: "SHA256" as const,
    };
    try {
      const { byteLength } = content;
      await this.send(name, (s3, how) => s3.putObject(put, how), byteLength);
      return true;
    } catch (error) {
      if (isRefused(error, "condition")) return false;
      throw error;
    }
  }

  async checkUploads(
    file: string,
    existing: string,
    bytes: Uint8Array,
  ): Promise<void> {
    if (!(await isInPieces(file))) return;
    this.#uploadsChecked ??= checkUploads(this, existing, bytes).catch(
      (error) => {
        this.#uploadsChecked = null;
        throw error;
      },
    );
    await this.#uploadsChecked;
  }

  uploadsIn(folder: string): AsyncIterable<StoredUpload> {
    return uploadsIn(this, `${folder}/`);
  }

  async remove(name: string): Promise<void> {
    await this.send(name, (s3, options) =>
      s3.deleteObject(keyOf(name), options),
    );
  }

  /** Makes a request that sends `bytes` bytes. */
  send<T>(
    name: string,
    send: (s3: S3, options: { abortSignal: AbortSignal }) => Promise<T>,
    bytes = 0,
  ): Promise<T> {
    const attempt = ({ signal }: Attempt) =>
      send(this.client, { abortSignal: signal });
    return this.requests.make(name, this.signal, attempt, bytes);
  }

  async #unlessMissing<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (isRefused(error, "no object")) return null;
      throw error;
    }
  }

  /** Yields the names that begin with `start`, with their states; with a delimiter not recursively, and folders with null. */
  #entries(
    start: string,
    Delimiter?: "/",
  ): AsyncGenerator<[string, Stored | null]> {
    const { Bucket, Key: Prefix } = keyOf(start);
    return itemsOf(start, async (ContinuationToken: string | undefined) => {
      const request = { Bucket, Prefix, Delimiter, ContinuationToken };
      const page = await this.send(start, (s3, options) =>
        s3.listObjectsV2(request, options),
      );
      const { Contents = [], CommonPrefixes = [] } = page;
      const objects = Contents.map((object): [string, Stored] => {
        const name = `s3://${Bucket}/${object.Key}`;
        return [name, fileOf(name, object.Size, object)];
      });
      // A folder has no slash at its end, but a key may.
      const folders = CommonPrefixes.map(({ Prefix = "" }): [string, null] => [
        `s3://${Bucket}/${Prefix.slice(0, -1)}`,
        null,
      ]);
      return {
        items: [...objects, ...folders],
        next: page.IsTruncated === true && (page.NextContinuationToken || null),
      };
    });
  }
}

async function drain(
  { Body }: GetObjectCommandOutput,
  { signal, alive }: Attempt,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  for await (const bytes of Body as AsyncIterable<Uint8Array>) {
    // Another attempt has replaced this one.
    if (signal.aborted) return;
    alive();
    await take(bytes);
  }
}

/** Maximum plausible object size; the limit of S3 is 50 TB. */
const MAX_BYTES = 2 ** 46;

function fileOf(
  name: string,
  bytes: number | undefined,
  { ETag = "", LastModified }: Pick<_Object, "ETag" | "LastModified">,
): Stored {
  const fail = (what: string) =>
    new ServiceUnavailableError(name, `the object store ${what}`);
  if (bytes === undefined || Number.isNaN(bytes))
    throw fail("does not return the size of the object");
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > MAX_BYTES)
    throw fail(`returns an impossible size: ${bytes} bytes`);
  const modified = LastModified?.getTime() ?? 0;
  return { isFile: true, isFolder: false, bytes, modified, etag: ETag };
}

/** Rejects the response of a server that ignores ranges and sends everything. @throws IoError */
function checkRange(
  name: string,
  { ContentRange, ContentLength }: GetObjectCommandOutput,
  start: number,
  end: number,
): void {
  const isWhole = start === 0 && ContentLength === end && !ContentRange;
  if (isWhole || ContentRange?.startsWith(`bytes ${start}-${end - 1}/`)) return;
  throw new IoError(
    name,
    `the object store ignored the requested range: bytes ${start} to ${end - 1} were requested, ${ContentRange ? "others" : "all bytes"} returned`,
  );
}
