import type { GetObjectCommandOutput, S3Client } from "@aws-sdk/client-s3";
import { IoError, ServiceUnavailableError } from "../../errors.js";
import { type S3Place, s3Name } from "../location.js";
import type { S3Access } from "../s3-options.js";
import { CutAnswer, refusedFor } from "./failures.js";
import { pagesOf } from "./pages.js";
import { type Attempt, Requests } from "./requests.js";
import { loadSdk, openClient, type Sdk } from "./sdk.js";

/** An object as it stands in its bucket. */
export interface ObjectState {
  bytes: number;
  /** As S3 writes it, quotes included; changes with the object. */
  etag: string;
  /** Milliseconds since 1970. */
  modified: number;
}

/** One page of what is in a bucket. */
export interface Listed {
  objects: (ObjectState & { key: string })[];
  /** What keys have before the delimiter. */
  prefixes: string[];
}

/** Takes bytes as they come; the next come once it is done. */
export type Sink = (bytes: Uint8Array, position: number) => Promise<void>;

/** One client for all that is reached in the same way: credentials are asked for, and connections made, once. */
const opened = new Map<string, Promise<Objects>>();

/** @throws ConfigurationError, UsageError */
export async function openObjects({
  endpoint,
  region,
  requestTimeout,
  signal,
}: S3Access): Promise<Objects> {
  const key = JSON.stringify([endpoint, region, requestTimeout]);
  const found =
    opened.get(key) ?? newObjects({ endpoint, region, requestTimeout });
  opened.set(key, found);
  // What was missing may be there the next time.
  found.catch(() => opened.delete(key));
  const objects = await found;
  return signal ? objects.under(signal) : objects;
}

async function newObjects(options: S3Access): Promise<Objects> {
  const sdk = await loadSdk();
  const client = await openClient(sdk, options);
  return new Objects(sdk, client, new Requests(options.requestTimeout));
}

/** The objects of S3: single requests, each made until it is answered. */
export class Objects {
  constructor(
    readonly sdk: Sdk,
    private readonly client: S3Client,
    private readonly requests = new Requests(),
    private readonly stop?: AbortSignal,
  ) {}

  /** The same objects; a request is given up, by AbortedError, once the signal is aborted. */
  under(stop: AbortSignal): Objects {
    return new Objects(this.sdk, this.client, this.requests, stop);
  }

  /** null: there is none. */
  async head(place: S3Place): Promise<ObjectState | null> {
    const { HeadObjectCommand } = this.sdk;
    try {
      const found = await this.send(place, (client, options) =>
        client.send(new HeadObjectCommand(names(place)), options),
      );
      return {
        bytes: sizeOf(place, found.ContentLength),
        etag: found.ETag ?? "",
        modified: found.LastModified?.getTime() ?? 0,
      };
    } catch (error) {
      if (refusedFor(error) === "no object") return null;
      throw error;
    }
  }

  /** All of an object, a small one; null: there is none. */
  async read(place: S3Place): Promise<Uint8Array | null> {
    const { GetObjectCommand } = this.sdk;
    try {
      return await this.#request(place, async (attempt) => {
        const found = await this.client.send(
          new GetObjectCommand(names(place)),
          { abortSignal: attempt.signal },
        );
        const pieces: Uint8Array[] = [];
        await this.#drain(found, attempt, async (bytes) => {
          pieces.push(bytes);
        });
        const all = Buffer.concat(pieces);
        // An answer in chunks may end early without an error.
        const bytes = found.ContentLength ?? (await this.head(place))?.bytes;
        if (all.byteLength !== bytes)
          throw new CutAnswer(
            `the response ended after ${all.byteLength} of ${bytes} bytes`,
          );
        return all;
      });
    } catch (error) {
      if (refusedFor(error) === "no object") return null;
      throw error;
    }
  }

  /**
   * Bytes `[start, end)` of an object in order, all of them; an answer that is cut is asked for the rest.
   * @param etag of the object that is meant; another is refused for "condition"
   * @param stop gives it up
   */
  async readRange(
    place: S3Place,
    { start, end, etag }: { start: number; end: number; etag?: string },
    sink: Sink,
    stop?: AbortSignal,
  ): Promise<void> {
    const { GetObjectCommand } = this.sdk;
    let at = start;
    const read = async (attempt: Attempt) => {
      if (at >= end) return;
      const found = await this.client.send(
        new GetObjectCommand({
          ...names(place),
          Range: `bytes=${at}-${end - 1}`,
          ...(etag && { IfMatch: etag }),
        }),
        { abortSignal: attempt.signal },
      );
      refuseOtherRange(place, found, at, end);
      // An attempt that was given up may come to an end of its own: it says no more where the next goes on.
      let position = at;
      await this.#drain(found, attempt, async (bytes) => {
        await sink(bytes, position);
        position += bytes.byteLength;
        if (!attempt.signal.aborted) at = position;
      });
      if (at < end)
        throw new CutAnswer(`the response ended ${end - at} bytes early`);
    };
    await this.#request(place, read, { stop });
  }

  /** Puts an object where there is none. false: one is there, and stays. */
  async putIfAbsent(place: S3Place, bytes: Uint8Array): Promise<boolean> {
    const { PutObjectCommand } = this.sdk;
    const command = () =>
      new PutObjectCommand({
        ...names(place),
        Body: bytes,
        IfNoneMatch: "*",
        ChecksumAlgorithm: "SHA256",
      });
    try {
      await this.send(
        place,
        (client, options) => client.send(command(), options),
        bytes.byteLength,
      );
      return true;
    } catch (error) {
      if (refusedFor(error) === "condition") return false;
      throw error;
    }
  }

  /** Lists the keys that start so, page by page, in the order of their bytes. */
  list(
    { bucket, key: prefix }: S3Place,
    { delimiter }: { delimiter?: string } = {},
  ): AsyncGenerator<Listed> {
    const { ListObjectsV2Command } = this.sdk;
    const place = { bucket, key: prefix };
    return pagesOf<Listed, string>(place, async (token) => {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        Delimiter: delimiter,
        ContinuationToken: token,
      });
      const found = await this.send(place, (client, options) =>
        client.send(command, options),
      );
      const page = {
        objects: (found.Contents ?? []).map((object) => {
          const key = object.Key as string;
          return {
            key,
            bytes: sizeOf({ bucket, key }, object.Size),
            etag: object.ETag ?? "",
            modified: object.LastModified?.getTime() ?? 0,
          };
        }),
        prefixes: (found.CommonPrefixes ?? []).map(
          ({ Prefix }) => Prefix as string,
        ),
      };
      const names = page.objects.length + page.prefixes.length;
      return {
        page,
        names,
        next:
          found.IsTruncated === true && (found.NextContinuationToken || null),
      };
    });
  }

  /** Removes an object; none is fine too. */
  async remove(place: S3Place): Promise<void> {
    const { DeleteObjectCommand } = this.sdk;
    await this.send(place, (client, options) =>
      client.send(new DeleteObjectCommand(names(place)), options),
    );
  }

  /** Has the client send a command that sends so many bytes, made until it is answered. */
  send<T>(
    place: S3Place,
    send: (
      client: S3Client,
      options: { abortSignal: AbortSignal },
    ) => Promise<T>,
    bytes = 0,
  ): Promise<T> {
    return this.#request(
      place,
      ({ signal }) => send(this.client, { abortSignal: signal }),
      { bytes },
    );
  }

  #request<T>(
    place: S3Place,
    attempt: (of: Attempt) => Promise<T>,
    options: { bytes?: number; stop?: AbortSignal | undefined } = {},
  ): Promise<T> {
    const name = s3Name(place.bucket, place.key);
    const { stop = this.stop } = options;
    return this.requests.make(name, attempt, { ...options, stop });
  }

  async #drain(
    { Body }: GetObjectCommandOutput,
    { signal, alive }: Attempt,
    take: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    for await (const bytes of Body as AsyncIterable<Uint8Array>) {
      // Left to itself: another attempt is at it.
      if (signal.aborted) return;
      alive();
      await take(bytes);
    }
  }
}

/** S3 takes no object of more than 50 TB; more is no size, and could not be handled. */
const MOST_BYTES = 2 ** 46;

/** @throws ServiceUnavailableError */
function sizeOf({ bucket, key }: S3Place, bytes: number | undefined): number {
  if (
    Number.isInteger(bytes) &&
    Number(bytes) >= 0 &&
    Number(bytes) <= MOST_BYTES
  )
    return bytes as number;
  throw new ServiceUnavailableError(
    s3Name(bucket, key),
    bytes === undefined || Number.isNaN(bytes)
      ? "the object store does not return the size of the object"
      : `the object store returns an impossible size: ${bytes} bytes`,
  );
}

/** As commands name an object. */
export function names({ bucket, key }: S3Place): {
  Bucket: string;
  Key: string;
} {
  return { Bucket: bucket, Key: key };
}

/** A server that does not know ranges gives all there is. */
function refuseOtherRange(
  { bucket, key }: S3Place,
  { ContentRange, ContentLength }: GetObjectCommandOutput,
  start: number,
  end: number,
): void {
  const isWhole = start === 0 && ContentLength === end && !ContentRange;
  if (isWhole || ContentRange?.startsWith(`bytes ${start}-${end - 1}/`)) return;
  throw new IoError(
    s3Name(bucket, key),
    `the object store ignored the requested range: bytes ${start} to ${end - 1} were requested, ${ContentRange ? "others" : "all bytes"} returned`,
  );
}
