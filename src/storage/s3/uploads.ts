import { open, rm, stat } from "node:fs/promises";
import type { CompletedPart, S3 } from "@aws-sdk/client-s3";
import { ConfigurationError, ServiceUnavailableError } from "../../errors.js";
import { mapConcurrent } from "../../io/map-concurrent.js";
import { readFullyAsync } from "../../io/positional.js";
import type { Store, StoredUpload } from "../store.js";
import { itemsOf, keyOf } from "./pages.js";
import { isRefused } from "./requests.js";

// A piece is a part of a multipart upload.

/** Maximum size of a file that one request sends, and the size of pieces, unless that would take more than MAX_PIECES. */
export const PIECE_BYTES = 8 * 2 ** 20;
/** Limit of S3. */
const MAX_PIECES = 10_000;
/** Maximum number of pieces in memory and in flight. */
export const PIECES_AT_ONCE = 4;
/** Attempts to upload a file that the store loses. */
const MAX_UPLOADS = 3;
/** Time for aborting an upload. If that fails, `softjac gc` removes its pieces. */
const ABORT_MS = 3000;

/** Methods of S3Store that uploads need. */
interface UploadStore extends Pick<Store, "head" | "putIfAbsent"> {
  withSignal(signal: AbortSignal): UploadStore;
  /** Makes a request that sends `bytes` bytes. */
  send<T>(
    name: string,
    send: (s3: S3, options: { abortSignal: AbortSignal }) => Promise<T>,
    bytes?: number,
  ): Promise<T>;
}

/** Content of an upload. */
interface Source {
  bytes: number;
  read(start: number, bytes: number): Promise<Uint8Array>;
}

export async function isInPieces(file: string): Promise<boolean> {
  return (await stat(file)).size > PIECE_BYTES;
}

/** Uploads a local file unless the object exists, and removes the file. Returns false if the object exists. */
export async function putFileIfAbsent(
  store: UploadStore,
  name: string,
  path: string,
  pieceBytes = PIECE_BYTES,
): Promise<boolean> {
  const file = await open(path);
  let isNew = false;
  try {
    const { size } = await file.stat();
    const read = async (start: number, bytes: number) => {
      const piece = new Uint8Array(bytes);
      await readFullyAsync(file.fd, piece, start);
      return piece;
    };
    if (size <= pieceBytes)
      isNew = await store.putIfAbsent(name, await read(0, size));
    // Without this check, only the end of the upload would fail.
    else if (!(await store.head(name)))
      isNew = await upload(store, name, { bytes: size, read }, pieceBytes);
  } finally {
    await file.close();
  }
  if (isNew) await rm(path, { force: true });
  return isNew;
}

/**
 * Uploads the bytes of an existing object in pieces, which must fail; some stores honour If-None-Match only for PutObject.
 * @throws ConfigurationError if the upload succeeds
 */
export async function checkUploads(
  store: UploadStore,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const read = async (start: number, length: number) =>
    bytes.subarray(start, start + length);
  const source = { bytes: bytes.byteLength, read };
  if (await upload(store, name, source, PIECE_BYTES, true))
    throw new ConfigurationError(
      `${name}: the object store ignores If-None-Match at the end of a multipart upload, so a shard of more than 8 MiB could replace another object; use smaller shards (--shard-bytes 4000000) or another store`,
    );
}

/**
 * Uploads in pieces. Returns false if the object exists.
 * @param existed whether the object existed before, so that it does not show that a lost response completed the upload
 */
async function upload(
  store: UploadStore,
  name: string,
  source: Source,
  pieceBytes: number,
  existed = false,
): Promise<boolean> {
  for (let uploads = 1; uploads <= MAX_UPLOADS; uploads++) {
    const create = { ...keyOf(name), ChecksumAlgorithm: "SHA256" as const };
    const { UploadId } = await store.send(name, (s3, options) =>
      s3.createMultipartUpload(create, options),
    );
    const id = UploadId as string;
    try {
      const Parts = await sendPieces(store, name, id, source, pieceBytes);
      const upload = { ...keyOf(name), UploadId: id, IfNoneMatch: "*" };
      const complete = { ...upload, MultipartUpload: { Parts } };
      await store.send(name, (s3, options) =>
        s3.completeMultipartUpload(complete, options),
      );
      return true;
    } catch (error) {
      // The store's own signal may already be aborted.
      const aborting = store.withSignal(AbortSignal.timeout(ABORT_MS));
      await abortUpload(aborting, name, id).catch(() => {});
      if (isRefused(error, "condition")) return false;
      // The store no longer has the upload; if a lost response completed it, the object exists.
      if (!isRefused(error, "no upload")) throw error;
      if (!existed && (await store.head(name))) return false;
    }
  }
  throw new ServiceUnavailableError(
    name,
    `the object store lost an unfinished upload ${MAX_UPLOADS} times`,
  );
}

async function sendPieces(
  store: UploadStore,
  name: string,
  id: string,
  { bytes, read }: Source,
  pieceBytes: number,
): Promise<CompletedPart[]> {
  const size = Math.max(pieceBytes, Math.ceil(bytes / MAX_PIECES));
  const numbers = [...Array(Math.ceil(bytes / size)).keys()];
  return mapConcurrent(numbers, PIECES_AT_ONCE, async (k) => {
    const start = k * size;
    const length = Math.min(size, bytes - start);
    const piece = {
      ...keyOf(name),
      UploadId: id,
      PartNumber: k + 1,
      Body: await read(start, length),
      ChecksumAlgorithm: "SHA256" as const,
    };
    const { ETag, ChecksumSHA256 } = await store.send(
      name,
      (s3, options) => s3.uploadPart(piece, options),
      length,
    );
    return { PartNumber: k + 1, ETag, ChecksumSHA256 };
  });
}

/** Yields the unfinished uploads to names that begin with `start`. */
export async function* uploadsIn(
  store: UploadStore,
  start: string,
): AsyncGenerator<StoredUpload> {
  const { Bucket, Key: Prefix } = keyOf(start);
  type After = { KeyMarker: string; UploadIdMarker?: string };
  const uploads = itemsOf(start, async (after?: After) => {
    const response = await store.send(start, (s3, options) =>
      s3.listMultipartUploads({ Bucket, Prefix, ...after }, options),
    );
    const { Uploads: items = [], IsTruncated } = response;
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: id } = response;
    const next = KeyMarker
      ? { KeyMarker, ...(id && { UploadIdMarker: id }) }
      : null;
    return { items, next: IsTruncated === true && next };
  });
  for await (const { Key, UploadId, Initiated } of uploads) {
    const name = `s3://${Bucket}/${Key}`;
    yield {
      name,
      started: Initiated?.getTime() ?? 0,
      abort: () => abortUpload(store, name, UploadId as string),
    };
  }
}

/** Aborts an upload, if it still exists. */
async function abortUpload(
  store: UploadStore,
  name: string,
  id: string,
): Promise<void> {
  try {
    await store.send(name, (s3, options) =>
      s3.abortMultipartUpload({ ...keyOf(name), UploadId: id }, options),
    );
  } catch (error) {
    if (!isRefused(error, "no upload")) throw error;
  }
}
