import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { fingerprintOf } from "../dataset/dataset-plan.js";
import { type OpenDatasetRun, openPlannedRun } from "../dataset/planned-run.js";
import { isRemote } from "../io/location.js";
import type { StoreAccess } from "../storage/store.js";
import { VERSION } from "../version.js";
import { JobRefusedError, type JobsRun } from "./jobs.js";

/** Opens the run of a job. Rejects runs outside the allowed locations, and those that another version planned. */
export async function openJobRun(
  { output, run }: JobsRun,
  check: LocationCheck,
  s3: StoreAccess,
): Promise<OpenDatasetRun> {
  await check("output", output);
  // The directory of the run may be a symbolic link. S3 has no links.
  if (!isRemote(output)) await check("output", `${output}.__wip-${run}`);
  const opened = await openPlannedRun(output, run, s3);
  const { root, of } = opened.run.plan;
  if (fingerprintOf({ ...of, format: 1, softjac: VERSION }) !== run)
    throw new JobRefusedError(
      `${output}: run ${run} was planned by softjac ${String(of.softjac)}, but this worker is softjac ${VERSION}, which may write different bytes; use workers of the same version`,
    );
  await check("inputs", root);
  return opened;
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** Rejects a location that is not normalized or that the worker may not access. Messages begin with `what`. */
export type LocationCheck = (what: string, location: string) => Promise<void>;

/** Returns a check that allows everything below the given directories and URLs. Symbolic links are resolved. */
export async function allowedLocations(
  allow: readonly string[],
): Promise<LocationCheck> {
  const prefixes = await Promise.all(
    allow.map(async (location) =>
      SCHEME.test(location)
        ? withEnd(location, "/")
        : withEnd(await resolveLinks(resolve(location)), sep),
    ),
  );
  return async (what, location) => {
    const isUrl = SCHEME.test(location);
    const isPlain = isUrl
      ? isPlainUrl(location)
      : isAbsolute(location) && resolve(location) === location;
    if (!isPlain)
      throw new JobRefusedError(
        `${what}: expected ${isUrl ? "a URL" : "an absolute path"} without . or .., found ${location}`,
      );
    const target = isUrl
      ? location.replace(/\/$/, "")
      : await resolveLinks(location);
    if (!prefixes.some((prefix) => `${target}/`.startsWith(prefix)))
      throw new JobRefusedError(
        `${what}: ${location} is outside the locations that --allow permits (${allow.join(", ")})`,
      );
  };
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

/** Resolves the links in the existing part of a path. */
async function resolveLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || parent === path)
      throw error;
    return join(await resolveLinks(parent), basename(path));
  }
}

function withEnd(prefix: string, end: string): string {
  return prefix.endsWith(end) ? prefix : prefix + end;
}
