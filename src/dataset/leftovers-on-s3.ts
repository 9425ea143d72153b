import { pooled } from "../io/pooled.js";
import { s3Name, s3Place } from "../store/location.js";
import { type Objects, openObjects } from "../store/s3/objects.js";
import { abortUpload, uploadsUnder } from "../store/s3/uploads.js";
import type { S3Access } from "../store/s3-options.js";
import type { StaleRunsReport } from "./leftovers.js";
import { COMMITS, MANIFEST, PLAN, SUCCESS } from "./names.js";

/** Requests at once. */
const AT_ONCE = 16;

interface Wanted extends S3Access {
  /** s3://bucket/prefix */
  output: string;
  /** Milliseconds since 1970: what has changed since stays. */
  limit: number;
  dryRun: boolean;
}

/**
 * Removes what dead runs have left of a dataset on S3: uploads in pieces that nobody ends, and the objects of a run that
 * has not been published and in which nothing has changed for a while; only such as have names of ours.
 */
export async function removeOnS3(wanted: Wanted): Promise<StaleRunsReport> {
  const { output, dryRun } = wanted;
  const objects = await openObjects(wanted);
  const found: StaleRunsReport = {
    output,
    dryRun,
    removed: [],
    kept: [],
    shards: {},
  };
  const { last } = await oldUploads(objects, wanted, found);
  const { bucket } = s3Place(output);
  const run = await unfinishedRun(objects, output);
  if (run.length === 0) return found;
  const records = run.filter(({ name }) => /\/\d{5,}\.json$/.test(name));
  if (records.length > 0) found.shards[output] = records.length;
  const changed = Math.max(last, ...run.map(({ modified }) => modified));
  if (changed > wanted.limit) found.kept.push(output);
  else {
    if (!dryRun) await removeRun(objects, bucket, run);
    found.removed.push(output);
  }
  return found;
}

/** Ends those that are old; returns when the last one was started. */
async function oldUploads(
  objects: Objects,
  { output, limit, dryRun }: Wanted,
  found: StaleRunsReport,
): Promise<{ last: number }> {
  const { bucket, key } = s3Place(output);
  const folder = `${key}/`;
  let last = 0;
  for (const upload of await uploadsUnder(objects, { bucket, key: folder })) {
    const name = upload.key.slice(folder.length);
    if (!isPart(name) && name !== PLAN) continue;
    last = Math.max(last, upload.started);
    const shown = `${s3Name(bucket, upload.key)} (an upload that has not ended)`;
    if (upload.started > limit) found.kept.push(shown);
    else {
      if (!dryRun) await abortUpload(objects, upload, upload.id);
      found.removed.push(shown);
    }
  }
  return { last };
}

interface Found {
  key: string;
  /** From the prefix on. */
  name: string;
  modified: number;
}

/** The objects of a run under a prefix that has not been published; none where there is no such run. */
async function unfinishedRun(
  objects: Objects,
  output: string,
): Promise<Found[]> {
  const { bucket, key: prefix } = s3Place(output);
  const found: Found[] = [];
  for await (const page of objects.list({ bucket, key: `${prefix}/` }))
    for (const { key, modified } of page.objects)
      found.push({ key, name: key.slice(prefix.length + 1), modified });
  if (found.some(({ name }) => name === SUCCESS)) return [];
  const isRun = found.some(({ name }) => name === PLAN || isRecord(name));
  return isRun ? found.filter(({ name }) => isOurs(name)) : [];
}

/** The plan first: a process that comes late finds that the place is no longer its run's. */
async function removeRun(
  objects: Objects,
  bucket: string,
  run: readonly Found[],
): Promise<void> {
  const remove = (of: readonly Found[]) =>
    pooled(of, AT_ONCE, ({ key }) => objects.remove({ bucket, key }));
  await remove(run.filter(({ name }) => name === PLAN));
  await remove(run.filter(({ name }) => isPart(name) || name === MANIFEST));
  await remove(run.filter(({ name }) => isRecord(name)));
}

function isOurs(name: string): boolean {
  return isPart(name) || isRecord(name) || name === PLAN || name === MANIFEST;
}

function isPart(name: string): boolean {
  return /^part-\d{5,}-of-\d{5,}\.arrow$/.test(name);
}

function isRecord(name: string): boolean {
  const [folder, file = "", ...more] = name.split("/");
  return (
    folder === COMMITS &&
    more.length === 0 &&
    /^(?:input-)?\d{5,}\.json$/.test(file)
  );
}
