import { type FileHandle, open } from "node:fs/promises";
import type { CompletedPart } from "@aws-sdk/client-s3";
import { ConfigurationError, ServiceUnavailableError } from "../../errors.js";
import { pooled } from "../../io/pooled.js";
import { readFullyAsync } from "../../io/positional-async.js";
import { type S3Place, s3Name } from "../location.js";
import { refusedFor } from "./failures.js";
import { inFlight } from "./in-flight.js";
import { names, type Objects } from "./objects.js";
import { abortUpload } from "./uploads.js";

/** Sent by one request at most; of larger files each piece is, unless S3's 10,000 pieces are too few. */
export const PIECE_BYTES = 8 * 2 ** 20;
const MOST_PIECES = 10_000;
/** Pieces in memory, and on their way, at once. */
export const PIECES_AT_ONCE = 4;
/** Uploads from the start where the store gave one up that was complete. */
const UPLOADS = 3;
/** For giving up an upload, whose pieces `softjac gc` removes otherwise. */
const GIVE_UP_MS = 3000;

/** What an upload sends. */
interface Source {
  bytes: number;
  read(start: number, bytes: number): Promise<Uint8Array>;
}

/** Puts a file of this machine where there is no object. false: one is there, and stays. */
export async function putFileIfAbsent(
  objects: Objects,
  place: S3Place,
  path: string,
  pieceBytes = PIECE_BYTES,
): Promise<boolean> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const source: Source = {
      bytes: size,
      read: (start, bytes) => readPiece(file, start, bytes),
    };
    if (size <= pieceBytes)
      return await objects.putIfAbsent(place, await source.read(0, size));
    // The end of an upload would tell, after all of it.
    if (await objects.head(place)) return false;
    for (let uploads = 1; ; uploads++) {
      const put = await uploadIfAbsent(objects, place, source, pieceBytes);
      if (put !== "lost") return put === "put";
      if (await objects.head(place)) return false;
      if (uploads === UPLOADS) throw lost(place);
    }
  } finally {
    await file.close();
  }
}

/**
 * Uploads in pieces what stands under a name already.
 * @throws ConfigurationError where the store puts it: a store may know If-None-Match of PutObject alone
 */
export async function refuseReplacing(
  objects: Objects,
  place: S3Place,
  there: Uint8Array,
): Promise<void> {
  const source: Source = {
    bytes: there.byteLength,
    read: async (start, bytes) => there.subarray(start, start + bytes),
  };
  for (let uploads = 1; ; uploads++) {
    const put = await uploadIfAbsent(objects, place, source, PIECE_BYTES);
    if (put === "exists") return;
    if (put === "put")
      throw new ConfigurationError(
        `${s3Name(place.bucket, place.key)}: the object store ignores If-None-Match at the end of a multipart upload, so a shard of more than 8 MiB could replace another object; use smaller shards (--shard-bytes 4000000) or another store`,
      );
    if (uploads === UPLOADS) throw lost(place);
  }
}

function lost({ bucket, key }: S3Place): ServiceUnavailableError {
  return new ServiceUnavailableError(
    s3Name(bucket, key),
    `the object store lost an unfinished upload ${UPLOADS} times`,
  );
}

/** `lost`: the store knows nothing of the upload any more; what became of it, the object tells. */
async function uploadIfAbsent(
  objects: Objects,
  place: S3Place,
  source: Source,
  pieceBytes: number,
): Promise<"put" | "exists" | "lost"> {
  const upload = await startUpload(objects, place);
  try {
    const parts = await sendPieces(objects, place, upload, source, pieceBytes);
    await completeUpload(objects, place, upload, parts);
    return "put";
  } catch (error) {
    const last = objects.under(AbortSignal.timeout(GIVE_UP_MS));
    await abortUpload(last, place, upload).catch(() => {});
    if (refusedFor(error) === "condition") return "exists";
    if (refusedFor(error) === "no upload") return "lost";
    throw error;
  }
}

async function startUpload(objects: Objects, place: S3Place): Promise<string> {
  const { CreateMultipartUploadCommand } = objects.sdk;
  const { UploadId } = await objects.send(place, (client, options) =>
    client.send(
      new CreateMultipartUploadCommand({
        ...names(place),
        ChecksumAlgorithm: "SHA256",
      }),
      options,
    ),
  );
  return UploadId as string;
}

async function sendPieces(
  objects: Objects,
  place: S3Place,
  upload: string,
  { bytes, read }: Source,
  pieceBytes: number,
): Promise<CompletedPart[]> {
  const { UploadPartCommand } = objects.sdk;
  const most = Math.max(pieceBytes, Math.ceil(bytes / MOST_PIECES));
  const starts = Array.from(
    { length: Math.ceil(bytes / most) },
    (_, k) => k * most,
  );
  return pooled(starts, PIECES_AT_ONCE, (start, k) => {
    const length = Math.min(most, bytes - start);
    return inFlight.hold(length, () => sendPiece(start, length, k + 1));
  });

  async function sendPiece(
    start: number,
    length: number,
    number: number,
  ): Promise<CompletedPart> {
    const piece = await read(start, length);
    const { ETag, ChecksumSHA256 } = await objects.send(
      place,
      (client, options) =>
        client.send(
          new UploadPartCommand({
            ...names(place),
            UploadId: upload,
            PartNumber: number,
            Body: piece,
            ChecksumAlgorithm: "SHA256",
          }),
          options,
        ),
      piece.byteLength,
    );
    return { PartNumber: number, ETag, ChecksumSHA256 };
  }
}

async function completeUpload(
  objects: Objects,
  place: S3Place,
  upload: string,
  parts: CompletedPart[],
): Promise<void> {
  const { CompleteMultipartUploadCommand } = objects.sdk;
  await objects.send(place, (client, options) =>
    client.send(
      new CompleteMultipartUploadCommand({
        ...names(place),
        UploadId: upload,
        MultipartUpload: { Parts: parts },
        IfNoneMatch: "*",
      }),
      options,
    ),
  );
}

async function readPiece(
  { fd }: FileHandle,
  start: number,
  bytes: number,
): Promise<Uint8Array> {
  const piece = new Uint8Array(bytes);
  await readFullyAsync(fd, piece, start);
  return piece;
}
