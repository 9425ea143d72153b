import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { openPlannedRun, type StoredRunOver } from "../dataset/planned-run.js";
import { fingerprintOf } from "../dataset/records.js";
import { isS3 } from "../store/location.js";
import type { S3Access } from "../store/s3-options.js";
import { VERSION } from "../version.js";
import { JobRefusedError, type ShardJob } from "./jobs.js";

/** Plans kept in memory: they may be large, and jobs of few runs come mixed. */
const MAX_OPEN = 4;

/** The runs of a worker's jobs, opened once, and only where the worker may read and write. */
export class JobRuns {
  readonly #opened = new Map<string, StoredRunOver>();

  constructor(
    private readonly check: LocationCheck,
    private readonly s3: S3Access = {},
  ) {}

  /**
   * Returns the run of a job.
   * @throws JobRefusedError for one in another location, of another version, or without that shard; PlanMissingError
   */
  async of({ output, run, index }: ShardJob): Promise<StoredRunOver> {
    const key = `${run} ${output}`;
    const found = this.#opened.get(key) ?? (await this.#open(output, run));
    // In the order of their last use.
    this.#opened.delete(key);
    this.#opened.set(key, found);
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > MAX_OPEN) this.#opened.delete(oldest as string);
    const { shards } = found.run;
    if (index >= shards)
      throw new JobRefusedError(
        `${output}: run ${run} has only ${shards} shards, so there is no shard ${index}`,
      );
    return found;
  }

  async #open(output: string, run: string): Promise<StoredRunOver> {
    await this.check("output", output);
    // The run's directory may be a link of its own; on S3 there is none beside the output.
    if (!isS3(output)) await this.check("output", `${output}.__wip-${run}`);
    const found = await openPlannedRun(output, run, this.s3);
    const { root, of } = found.run.plan;
    // Another version may compute other numbers.
    if (fingerprintOf({ ...of, format: 1, softjac: VERSION }) !== run)
      throw new JobRefusedError(
        `${output}: run ${run} was planned by softjac ${String(of.softjac)}, but this worker is softjac ${VERSION}, which may write different bytes; use workers of the same version`,
      );
    await this.check("inputs", root);
    return found;
  }
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/**
 * Rejects a location outside those that the worker may read and write, or one that is not normalized. `what` is its name in
 * messages.
 * @throws JobRefusedError
 */
type LocationCheck = (what: string, location: string) => Promise<void>;

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
