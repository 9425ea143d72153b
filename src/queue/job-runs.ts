import { realpath } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { fingerprintOf } from "../dataset/dataset-plan.js";
import { type OpenDatasetRun, openPlannedRun } from "../dataset/planned-run.js";
import { isS3, resolveLocation } from "../io/location.js";
import type { StoreAccess } from "../storage/store.js";
import { VERSION } from "../version.js";
import { JobRefusedError, type JobsRun } from "./jobs.js";

/**
 * Opens the run of a job.
 * @throws JobRefusedError for a run outside the allowed locations, or planned by another version; PlanMissingError
 */
export async function openJobRun(
  { output, run }: JobsRun,
  check: LocationCheck,
  s3: StoreAccess,
): Promise<OpenDatasetRun> {
  await check("output", output);
  // The directory of the run may be a symbolic link. S3 has no links.
  if (!isS3(output)) await check("output", `${output}.__wip-${run}`);
  const opened = await openPlannedRun(output, run, s3);
  const { root, of } = opened.run.plan;
  if (fingerprintOf({ ...of, format: 1, softjac: VERSION }) !== run)
    throw new JobRefusedError(
      `${output}: run ${run} was planned by softjac ${String(of.softjac)}, but this worker is softjac ${VERSION}, which may write different bytes; use workers of the same version`,
    );
  await check("inputs", root);
  return opened;
}

/**
 * Rejects a location that is not normalized or that the worker may not access. Messages begin with `what`.
 * @throws JobRefusedError
 */
export type LocationCheck = (what: string, location: string) => Promise<void>;

/** Returns a check that allows everything below the given directories and s3:// URLs. @throws UsageError */
export async function allowedLocations(
  allow: readonly string[],
): Promise<LocationCheck> {
  const allowed = allow.map((location) =>
    realLocation(resolveLocation(location)),
  );
  const prefixes = (await Promise.all(allowed)).map(withSlash);
  return async (what, location) => {
    if (!isNormal(location))
      throw new JobRefusedError(
        `${what}: expected ${isS3(location) ? "a URL" : "an absolute path"} without . or .., found ${location}`,
      );
    const target = withSlash(await realLocation(location));
    if (!prefixes.some((prefix) => target.startsWith(prefix)))
      throw new JobRefusedError(
        `${what}: ${location} is outside the locations that --allow permits (${allow.join(", ")})`,
      );
  };
}

function isNormal(location: string): boolean {
  if (isS3(location) && /%2[ef]|\\/i.test(location)) return false;
  try {
    return resolveLocation(location) === location;
  } catch {
    return false;
  }
}

function withSlash(location: string): string {
  return location.endsWith(sep) ? location : location + sep;
}

/** Resolves the links in the existing part of a path. S3 has no links. */
async function realLocation(path: string): Promise<string> {
  if (isS3(path)) return path;
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path)
      throw error;
    return join(await realLocation(parent), basename(path));
  }
}
