import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { fingerprintOf } from "../dataset/dataset-plan.js";
import { type OpenDatasetRun, openPlannedRun } from "../dataset/planned-run.js";
import { isS3 } from "../io/location.js";
import type { S3Access } from "../storage/s3-options.js";
import { VERSION } from "../version.js";
import { JobRefusedError, type JobsRun } from "./jobs.js";

/**
 * Opens the run of a job, if it is where the worker may read and write.
 * @throws JobRefusedError for a run in another location, or of another version; PlanMissingError
 */
export async function openJobRun(
  { output, run }: JobsRun,
  check: LocationCheck,
  s3: S3Access,
): Promise<OpenDatasetRun> {
  await check("output", output);
  // The run's directory may be a link of its own; on S3 there is none beside the output.
  if (!isS3(output)) await check("output", `${output}.__wip-${run}`);
  const found = await openPlannedRun(output, run, s3);
  const { root, of } = found.run.plan;
  // Another version may compute other numbers.
  if (fingerprintOf({ ...of, format: 1, softjac: VERSION }) !== run)
    throw new JobRefusedError(
      `${output}: run ${run} was planned by softjac ${String(of.softjac)}, but this worker is softjac ${VERSION}, which may write different bytes; use workers of the same version`,
    );
  await check("inputs", root);
  return found;
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * Rejects a location outside those that the worker may read and write, or one that is not normalized. `what` is its name in
 * messages.
 * @throws JobRefusedError
 */
export type LocationCheck = (what: string, location: string) => Promise<void>;

/** Returns the check for directories, whose links are resolved, and URLs. */
export async function allowedLocations(
  allow: readonly string[],
): Promise<LocationCheck> {
  const prefixes = await Promise.all(
    allow.map(async (location) =>
      SCHEME.test(location)
        ? withEnd(location, "/")
        : withEnd(await real(resolve(location)), sep),
    ),
  );
  return async (what, location) => {
    const isUrl = SCHEME.test(location);
    if (!(isUrl ? isPlainUrl(location) : isPlainPath(location)))
      throw new JobRefusedError(
        `${what}: expected ${isUrl ? "a URL" : "an absolute path"} without . or .., found ${location}`,
      );
    const found = isUrl ? location.replace(/\/$/, "") : await real(location);
    if (!prefixes.some((prefix) => `${found}/`.startsWith(prefix)))
      throw new JobRefusedError(
        `${what}: ${location} is outside the locations that --allow permits (${allow.join(", ")})`,
      );
  };
}

function isPlainPath(path: string): boolean {
  return isAbsolute(path) && resolve(path) === path;
}

function isPlainUrl(url: string): boolean {
  const [, ...names] = url.replace(SCHEME, "").split("/");
  return names.every(
    (name, k) =>
      ![".", ".."].includes(name) &&
      (name !== "" || k === names.length - 1) &&
      !/%2e|%2f|\\/i.test(name),
  );
}

/** Resolves the links in a path; the part that does not exist is kept. */
async function real(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path)
      throw error;
    return join(await real(parent), basename(path));
  }
}

function withEnd(prefix: string, end: string): string {
  return prefix.endsWith(end) ? prefix : prefix + end;
}
