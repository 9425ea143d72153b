import type { S3Place } from "../location.js";
import { refusedFor } from "./failures.js";
import { names, type Objects } from "./objects.js";
import { pagesOf } from "./pages.js";

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
  const place = { bucket, key: prefix };
  const uploads: Upload[] = [];
  const pages = pagesOf<
    Upload[],
    { KeyMarker: string; UploadIdMarker?: string }
  >(place, async (after) => {
    const command = new ListMultipartUploadsCommand({
      Bucket: bucket,
      Prefix: prefix,
      ...after,
    });
    const found = await objects.send(place, (client, options) =>
      client.send(command, options),
    );
    const page = (found.Uploads ?? []).map(({ Key, UploadId, Initiated }) => ({
      bucket,
      key: Key as string,
      id: UploadId as string,
      started: Initiated?.getTime() ?? 0,
    }));
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = found;
    const next = NextKeyMarker
      ? {
          KeyMarker: NextKeyMarker,
          ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }),
        }
      : null;
    return { page, names: page.length, next: IsTruncated === true && next };
  });
  for await (const page of pages) uploads.push(...page);
  return uploads;
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
