import { readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../dataset/manifest.js";
import { MANIFEST, SUCCESS } from "../dataset/names.js";
import { InputFormatError, InputMissingError } from "../errors.js";
import { interpretingSync } from "../input/interpreting.js";
import { inputCall } from "../system-error.js";

const PART_NAME = /^part-\d{5,15}-of-\d{5,15}\.arrow$/;

/** Files of results in the order of their rows, and what a dataset says of itself. */
export interface FoundResults {
  path: string;
  parts: readonly {
    path: string;
    /** The input that its rows are of, as the dataset names it. */
    input: string | null;
  }[];
  manifest: Manifest | null;
}

/**
 * Finds what is to be read: a file, or the parts of a dataset that is complete.
 * @throws InputMissingError, InputFormatError, PermissionError, IoError
 */
export function findResults(path: string): FoundResults {
  if (!isFolder(path))
    return { path, parts: [{ path, input: null }], manifest: null };
  return interpretingSync(path, MANIFEST, () => partsOf(path));
}

function partsOf(path: string): FoundResults {
  const manifest = readManifest(path);
  const parts = manifest.parts.map(({ part, bytes, input }) => {
    // No other name from a file becomes a path.
    if (!PART_NAME.test(part))
      throw new InputFormatError(
        path,
        MANIFEST,
        `expected file names as in part-00000-of-00001.arrow, found ${JSON.stringify(part)}`,
      );
    const file = join(path, part);
    checkBytes(file, bytes);
    return { path: file, input: manifest.inputs[input]?.name ?? null };
  });
  if (parts.length === 0)
    throw new InputFormatError(path, MANIFEST, "the dataset has no shards");
  return { path, parts, manifest };
}

function isFolder(path: string): boolean {
  return statOrNull(path)?.isDirectory() ?? false;
}

function readManifest(path: string): Manifest {
  for (const name of [SUCCESS, MANIFEST])
    if (!statOrNull(join(path, name)))
      throw new InputMissingError(
        path,
        {},
        `${path} is not a complete dataset: it has no ${name}`,
      );
  const text = read(join(path, MANIFEST));
  try {
    const manifest = JSON.parse(text) as Manifest;
    if (Array.isArray(manifest.parts) && Array.isArray(manifest.inputs))
      return manifest;
  } catch {}
  throw new InputFormatError(
    path,
    MANIFEST,
    "not a valid manifest of a dataset",
  );
}

function statOrNull(path: string): Stats | undefined {
  return inputCall(path, "could not be examined", () =>
    statSync(path, { throwIfNoEntry: false }),
  );
}

function read(path: string): string {
  return inputCall(path, "could not be read", () => readFileSync(path, "utf8"));
}

function checkBytes(path: string, bytes: number): void {
  const found = statOrNull(path)?.size;
  if (found === undefined) throw new InputMissingError(path);
  if (found !== bytes)
    throw new InputFormatError(
      path,
      "file",
      `expected ${bytes} bytes as in the manifest, found ${found}`,
    );
}
