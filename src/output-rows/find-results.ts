import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../dataset/manifest.js";
import { MANIFEST, SUCCESS } from "../dataset/names.js";
import {
  InputFormatError,
  InputMissingError,
  IoError,
  PermissionError,
} from "../errors.js";

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
  const manifest = readManifest(path);
  const parts = manifest.parts.map(({ part, bytes, input }) => {
    // No other name from a file becomes a path.
    if (!PART_NAME.test(part))
      throw new InputFormatError(
        path,
        MANIFEST,
        `expected parts called as in part-00000-of-00001.arrow, found ${JSON.stringify(part)}`,
      );
    const file = join(path, part);
    checkBytes(file, bytes);
    return { path: file, input: manifest.inputs[input]?.name ?? null };
  });
  if (parts.length === 0)
    throw new InputFormatError(
      path,
      MANIFEST,
      "expected a dataset of one part or more, found none",
    );
  return { path, parts, manifest };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function readManifest(path: string): Manifest {
  for (const name of [SUCCESS, MANIFEST])
    if (!statSync(join(path, name), { throwIfNoEntry: false }))
      throw new InputMissingError(
        path,
        {},
        `expected a file of results or a complete dataset at ${path}, found a folder without ${name}`,
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
    "expected the manifest of a dataset as JSON, found something else",
  );
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EPERM")
      throw new PermissionError(path, `could not be read: ${code}`, { cause });
    throw new IoError(path, `could not be read: ${code}`, { cause });
  }
}

function checkBytes(path: string, bytes: number): void {
  const found = statSync(path, { throwIfNoEntry: false })?.size;
  if (found === undefined) throw new InputMissingError(path);
  if (found !== bytes)
    throw new InputFormatError(
      path,
      "file",
      `expected ${bytes} bytes as the manifest says, found ${found}`,
    );
}
