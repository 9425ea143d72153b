import { tmpdir } from "node:os";
import type { GetObjectCommandOutput, S3 } from "@aws-sdk/client-s3";
import { IoError, ServiceUnavailableError } from "../../errors.js";
import type { S3Access } from "../s3-options.js";
import {
  type ObjectStore,
  type Sink,
  type Stored,
  type StoredRange,
  type StoredUpload,
  TemporaryFiles,
} from "../store.js";
import { keyOf, pagesOf } from "./pages.js";
import { type Attempt, BadTransfer, isRefused, Requests } from "./requests.js";
import { openClient } from "./sdk.js";
import {
  checkUploads,
  isInPieces,
  putFileIfAbsent,
  uploadsIn,
} from "./uploads.js";

/** Clients by their options: credentials are read, and connections made, once. */
const opened = new Map<string, Promise<S3>>();

/** @throws ConfigurationError, UsageError */
export async function openS3Store({
  endpoint,
  region,
  signal,
}: S3Access): Promise<S3Store> {
  const key = JSON.stringify([endpoint, region]);
  const client = opened.get(key) ?? openClient({ endpoint, region });
  opened.set(key, client);
  // The next call may find what was missing.
  client.catch(() => opened.delete(key));
  return new S3Store(await client, new Requests(), signal);
}

/** Objects of S3, named s3://bucket/key. Every request is repeated until it is answered. An object is never replaced. */
export class S3Store extends TemporaryFiles implements ObjectStore {
  #uploadsChecked: Promise<void> | null = null;

  constructor(
    private readonly client: S3,
    private readonly requests = new Requests(),
    private readonly stop?: AbortSignal,
  ) {
    super(tmpdir(), "softjac-");
  }

  /** Returns the same store with another stop signal. */
  under(stop: AbortSignal): S3Store {
    return new S3Store(this.client, this.requests, stop);
  }

  async head(name: string): Promise<Stored | null> {
    const found = await this.#unlessMissing(() =>
      this.send(name, (s3, how) => s3.headObject(keyOf(name), how)),
    );
    return found && fileOf(name, found.ContentLength, found);
  }

  async list(folder: string, start = ""): Promise<Map<string, Stored | null>> {
    const found: [string, Stored | null][] = [];
    const lastOf = (name: string) => name.slice(name.lastIndexOf("/") + 1);
    for await (const page of this.#pages(`${folder}/${start}`, "/")) {
      for (const [name, stored] of page.objects)
        found.push([lastOf(name), stored]);
      for (const name of page.folders)
        found.push([lastOf(name.slice(0, -1)), null]);
    }
    return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  async *listAll(start: string): AsyncGenerator<[string, Stored]> {
    for await (const { objects } of this.#pages(start)) yield* objects;
  }

  read(name: string): Promise<Uint8Array | null> {
    return this.#unlessMissing(() =>
      this.#request(name, async (attempt) => {
        const found = await this.client.getObject(keyOf(name), {
          abortSignal: attempt.signal,
        });
        const pieces: Uint8Array[] = [];
        await drain(found, attempt, async (bytes) => {
          pieces.push(bytes);
        });
        const all = Buffer.concat(pieces);
        // An answer in chunks may end early without an error.
        const bytes = found.ContentLength ?? (await this.head(name))?.bytes;
        if (all.byteLength !== bytes)
          throw new BadTransfer(
            `the response ended after ${all.byteLength} of ${bytes} bytes`,
          );
        return all;
      }),
    );
  }

  /** After an answer that ends early, the rest is requested. */
  async readRange(
    name: string,
    { start, end, etag }: StoredRange,
    sink: Sink,
    stop?: AbortSignal,
  ): Promise<void> {
    let at = start;
    const read = async (attempt: Attempt) => {
      if (at >= end) return;
      const found = await this.client.getObject(
        {
          ...keyOf(name),
          Range: `bytes=${at}-${end - 1}`,
          ...(etag && { IfMatch: etag }),
        },
        { abortSignal: attempt.signal },
      );
      checkRange(name, found, at, end);
      // An abandoned attempt may still end; it does not move the position of the next one.
      let position = at;
      await drain(found, attempt, async (bytes) => {
        await sink(bytes, position);
        position += bytes.byteLength;
        if (!attempt.signal.aborted) at = position;
      });
      if (at < end)
        throw new BadTransfer(`the response ended ${end - at} bytes early`);
    };
    await this.#request(name, read, { stop });
  }

  async putIfAbsent(
    name: string,
    content: Uint8Array | string,
  ): Promise<boolean> {
    if (typeof content === "string")
      return putFileIfAbsent(this, name, content);
    try {
      await this.send(
        name,
        (s3, how) =>
          s3.putObject(
            {
              ...keyOf(name),
              Body: content,
              IfNoneMatch: "*",
              ChecksumAlgorithm: "SHA256",
            },
            how,
          ),
        content.byteLength,
      );
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
    await this.send(name, (s3, how) => s3.deleteObject(keyOf(name), how));
  }

  /** Makes a request that sends so many bytes. */
  send<T>(
    name: string,
    send: (s3: S3, how: { abortSignal: AbortSignal }) => Promise<T>,
    bytes = 0,
  ): Promise<T> {
    return this.#request(
      name,
      ({ signal }) => send(this.client, { abortSignal: signal }),
      { bytes },
    );
  }

  #request<T>(
    name: string,
    attempt: (of: Attempt) => Promise<T>,
    options: { bytes?: number; stop?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const { stop = this.stop } = options;
    return this.requests.make(name, attempt, { ...options, stop });
  }

  async #unlessMissing<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (isRefused(error, "no object")) return null;
      throw error;
    }
  }

  /** Yields the pages of a listing of the names that begin with `start`; with a delimiter, folders are listed as such. */
  #pages(
    start: string,
    delimiter?: "/",
  ): AsyncGenerator<{ objects: [string, Stored][]; folders: string[] }> {
    const { Bucket, Key } = keyOf(start);
    return pagesOf(start, async (token: string | undefined) => {
      const found = await this.send(start, (s3, how) =>
        s3.listObjectsV2(
          {
            Bucket,
            Prefix: Key,
            Delimiter: delimiter,
            ContinuationToken: token,
          },
          how,
        ),
      );
      const objects = (found.Contents ?? []).map((object): [string, Stored] => {
        const name = `s3://${Bucket}/${object.Key}`;
        return [name, fileOf(name, object.Size, object)];
      });
      const folders = (found.CommonPrefixes ?? []).map(
        ({ Prefix }) => `s3://${Bucket}/${Prefix}`,
      );
      return {
        page: { objects, folders },
        names: objects.length + folders.length,
        next:
          found.IsTruncated === true && (found.NextContinuationToken || null),
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
    // Abandoned: another attempt has taken over.
    if (signal.aborted) return;
    alive();
    await take(bytes);
  }
}

/** S3 takes no object of more than 50 TB. */
const MAX_BYTES = 2 ** 46;

/** @throws ServiceUnavailableError if the size is none */
function fileOf(
  name: string,
  bytes: number | undefined,
  {
    ETag = "",
    LastModified,
  }: { ETag?: string | undefined; LastModified?: Date | undefined },
): Stored {
  if (bytes === undefined || Number.isNaN(bytes))
    throw new ServiceUnavailableError(
      name,
      "the object store does not return the size of the object",
    );
  if (!Number.isInteger(bytes) || bytes < 0 || bytes > MAX_BYTES)
    throw new ServiceUnavailableError(
      name,
      `the object store returns an impossible size: ${bytes} bytes`,
    );
  const modified = LastModified?.getTime() ?? 0;
  return { isFile: true, isFolder: false, bytes, modified, etag: ETag };
}

/** Rejects the answer of a server that does not know ranges and sends everything. */
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
