import type { GetObjectCommandOutput, S3Client } from "@aws-sdk/client-s3";
import { IoError } from "../../errors.js";
import { type S3Place, s3Name } from "../location.js";
import type { S3Options } from "../s3-options.js";
import { CutAnswer, refusedFor } from "./failures.js";
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
export function openObjects({
  endpoint,
  region,
  requestTimeout,
}: S3Options): Promise<Objects> {
  const key = JSON.stringify([endpoint, region, requestTimeout]);
  const known = opened.get(key);
  if (known) return known;
  const objects = newObjects({ endpoint, region, requestTimeout });
  opened.set(key, objects);
  // What was missing may be there the next time.
  objects.catch(() => opened.delete(key));
  return objects;
}

async function newObjects(options: S3Options): Promise<Objects> {
  const sdk = await loadSdk();
  const client = await openClient(sdk, options);
  return new Objects(sdk, client, options.requestTimeout);
}

/** The objects of S3: single requests, each made until it is answered. */
export class Objects {
  readonly #requests: Requests;

  constructor(
    readonly sdk: Sdk,
    private readonly client: S3Client,
    requestTimeout?: number,
  ) {
    this.#requests = new Requests(requestTimeout);
  }

  /** null: there is none. */
  async head(place: S3Place): Promise<ObjectState | null> {
    const { HeadObjectCommand } = this.sdk;
    try {
      const found = await this.send(place, (client, options) =>
        client.send(new HeadObjectCommand(names(place)), options),
      );
      return {
        bytes: found.ContentLength ?? 0,
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
        return Buffer.concat(pieces);
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
        throw new CutAnswer(`an answer cut ${end - at} bytes before its end`);
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

  /** What has keys that start so, page by page, in the order of their bytes. */
  async *list(
    { bucket, key: prefix }: S3Place,
    { delimiter, most }: { delimiter?: string; most?: number } = {},
  ): AsyncGenerator<Listed> {
    const { ListObjectsV2Command } = this.sdk;
    const place = { bucket, key: prefix };
    for (let token: string | undefined; ; ) {
      const command = new ListObjectsV2Command({
        Bucket: bucket,
        Prefix: prefix,
        Delimiter: delimiter,
        MaxKeys: most,
        ContinuationToken: token,
      });
      const found = await this.send(place, (client, options) =>
        client.send(command, options),
      );
      yield {
        objects: (found.Contents ?? []).map((object) => ({
          key: object.Key as string,
          bytes: object.Size ?? 0,
          etag: object.ETag ?? "",
          modified: object.LastModified?.getTime() ?? 0,
        })),
        prefixes: (found.CommonPrefixes ?? []).map(
          ({ Prefix }) => Prefix as string,
        ),
      };
      token = found.NextContinuationToken;
      if (!found.IsTruncated || !token || most) return;
    }
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
    return this.#requests.make(name, attempt, options);
  }

  async #drain(
    { Body, ContentLength }: GetObjectCommandOutput,
    { signal, alive }: Attempt,
    take: (bytes: Uint8Array) => Promise<void>,
  ): Promise<void> {
    let taken = 0;
    for await (const bytes of Body as AsyncIterable<Uint8Array>) {
      // Left to itself: another attempt is at it.
      if (signal.aborted) return;
      alive();
      taken += bytes.byteLength;
      await take(bytes);
    }
    if (ContentLength !== undefined && taken !== ContentLength)
      throw new CutAnswer(
        `${taken} of the ${ContentLength} bytes of an answer`,
      );
  }
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
    `expected bytes ${start} to ${end - 1}, found an answer with ${ContentRange ? "others" : "all bytes"}`,
  );
}
