import type { S3Place } from "../location.js";
import { refusedFor } from "./failures.js";
import { names, type Objects } from "./objects.js";

/** An upload in pieces that was started and has not ended: its pieces are kept, and paid for, until it is. */
export interface Upload extends S3Place {
  id: string;
  /** Milliseconds since 1970. */
  started: number;
}

/** The uploads under way to keys that start so. */
export async function uploadsUnder(
  objects: Objects,
  { bucket, key: prefix }: S3Place,
): Promise<Upload[]> {
  const { ListMultipartUploadsCommand } = objects.sdk;
  const uploads: Upload[] = [];
  for (let next: { KeyMarker?: string; UploadIdMarker?: string } = {}; ; ) {
    const command = new ListMultipartUploadsCommand({
      Bucket: bucket,
      Prefix: prefix,
      ...next,
    });
    const found = await objects.send(
      { bucket, key: prefix },
      (client, options) => client.send(command, options),
    );
    for (const { Key, UploadId, Initiated } of found.Uploads ?? [])
      uploads.push({
        bucket,
        key: Key as string,
        id: UploadId as string,
        started: Initiated?.getTime() ?? 0,
      });
    if (!found.IsTruncated || !found.NextKeyMarker) return uploads;
    next = {
      KeyMarker: found.NextKeyMarker,
      ...(found.NextUploadIdMarker && {
        UploadIdMarker: found.NextUploadIdMarker,
      }),
    };
  }
}

/** Ends an upload without an object; one that has ended is fine too. */
export async function abortUpload(
  objects: Objects,
  place: S3Place,
  id: string,
): Promise<void> {
  const { AbortMultipartUploadCommand } = objects.sdk;
  try {
    await objects.send(place, (client, options) =>
      client.send(
        new AbortMultipartUploadCommand({ ...names(place), UploadId: id }),
        options,
      ),
    );
  } catch (error) {
    if (refusedFor(error) !== "no upload") throw error;
  }
}
