import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve, sep } from "node:path";
import { JobRefusedError } from "./refusal.js";

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;

/** The folders and URLs below which a worker touches things, whatever a job says. */
export class AllowedLocations {
  private constructor(
    private readonly shown: readonly string[],
    private readonly prefixes: readonly string[],
  ) {}

  /** Folders are followed to where they really are. */
  static async of(allow: readonly string[]): Promise<AllowedLocations> {
    const prefixes = await Promise.all(
      allow.map((location) =>
        SCHEME.test(location)
          ? withEnd(location, "/")
          : real(resolve(location)).then((path) => withEnd(path, sep)),
      ),
    );
    return new AllowedLocations(allow, prefixes);
  }

  /**
   * @param what what messages call it
   * @throws JobRefusedError for a location that is not below one of them, or not in its plain form
   */
  async check(what: string, location: string): Promise<void> {
    const found = SCHEME.test(location)
      ? plainUrl(what, location)
      : await real(plainPath(what, location));
    if (this.prefixes.some((prefix) => `${found}/`.startsWith(prefix))) return;
    throw new JobRefusedError(
      `${what}: ${location} is outside the locations that --allow permits (${this.shown.join(", ")})`,
    );
  }
}

function plainPath(what: string, path: string): string {
  if (isAbsolute(path) && resolve(path) === path) return path;
  throw new JobRefusedError(
    `${what}: expected an absolute path without . or .., found ${path}`,
  );
}

function plainUrl(what: string, url: string): string {
  const [, ...names] = url.replace(SCHEME, "").split("/");
  const isPlain = names.every(
    (name, k) =>
      name !== "." &&
      name !== ".." &&
      (name !== "" || k === names.length - 1) &&
      !/%2e|%2f|\\/i.test(name),
  );
  if (isPlain) return url.replace(/\/$/, "");
  throw new JobRefusedError(
    `${what}: expected a URL without . or .., found ${url}`,
  );
}

/** Where a path leads, links followed; what is not there yet is where its folder leads. */
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
