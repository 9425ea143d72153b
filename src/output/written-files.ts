import {
  type BigIntStats,
  existsSync,
  fstatSync,
  lstatSync,
  realpathSync,
  statSync,
} from "node:fs";
import { basename, dirname, extname, join, resolve, sep } from "node:path";
import { OutputExistsError, UsageError } from "../errors.js";
import { assertSupportedScheme, isS3 } from "../io/location.js";
import { outputCall } from "../io/system-error.js";
import type { FileUse } from "../options/options-table.js";
import { STANDARD_OUTPUT } from "./output-target.js";

/** A format of outputs, its description in messages, and the extensions of its names; the first is the usual one. */
export interface NamedFormat {
  writes: string;
  extensions: readonly string[];
}

export const ARROW: NamedFormat = {
  writes: "softjac writes Arrow files",
  extensions: ["arrow", "arrows", "feather", "ipc"],
};

export const HTML: NamedFormat = {
  writes: "softjac report writes HTML pages",
  extensions: ["html", "htm"],
};

/** Extensions that name another format to people and tools; an extension in no list may be part of any name. */
const FOREIGN_EXTENSIONS = new Set(
  `avro bmp bz2 ckpt csv db duckdb gif gz gzip h5 hdf hdf5 jpeg jpg joblib json jsonl lz4 lzma mat md msgpack nc ndjson
  npy npz ods onnx orc parq parquet pb pdf pickle pkl png pq pt pth rar rda rdata rds safetensors sav snappy sql sqlite
  svg tar tfrecord tfrecords tgz tsv txt webp xls xlsx xml xz yaml yml zarr zip zst zstd 7z`.split(
    /\s+/,
  ),
);

/**
 * Rejects a name whose extension promises another format than the file has.
 * @throws UsageError
 */
export function checkName(
  path: string,
  { writes, extensions }: NamedFormat,
): void {
  const extension = extname(basename(path)).slice(1).toLowerCase();
  if (extensions.includes(extension)) return;
  const isOther = [ARROW, HTML].some((format) =>
    format.extensions.includes(extension),
  );
  if (isOther || FOREIGN_EXTENSIONS.has(extension))
    throw new UsageError(
      `${path}: ${writes}; use a name that ends in .${extensions[0]}`,
      "output",
    );
}

/** A file that a command, or a call of the library, reads or writes. */
export interface UsedFile {
  /** In messages: "--report", "the input", "standard output". */
  name: string;
  /** A descriptor where the file is open already. */
  path: string | number;
  use: FileUse;
}

/**
 * Rejects a file to be written that is another file of the same command, or lies in a folder of the command, one whose
 * name is not UTF-8, and a state file that is not a regular file. Every path that a command writes is checked here before any work.
 * Rejects URLs of unsupported schemes, written or read.
 * @throws UsageError
 */
export function checkFiles(files: readonly UsedFile[]): void {
  for (const { path, use } of files)
    assertSupportedScheme(`${path}`, use === "read" ? "input" : "output");
  for (const file of files) if (file.use !== "read") checkUtf8(file);
  const places = files
    .filter(({ path, use }) => use === "state" || !isS3(`${path}`))
    .map(placeOf);
  const states = places.filter(({ file }) => file.use === "state");
  const outputs = places.filter(({ file }) => file.use === "output");
  for (const state of states) checkState(state);
  // Of a state file and the output, the state file is the one to move.
  for (const one of [...states, ...outputs])
    for (const other of places) if (other !== one) checkApart(one, other);
}

/**
 * Rejects an output file that could not be published at the end.
 * @throws OutputExistsError where something is at `path` (with `force`: something that is not a regular file);
 * UsageError where the path is an input, or its extension is of another format
 */
export function checkOutput({
  path,
  force,
  format,
  inputs,
  streams = false,
}: {
  path: string;
  force: boolean;
  format: NamedFormat;
  inputs: readonly string[];
  /** `-` stands for standard output. */
  streams?: boolean;
}): void {
  if (streams && path === STANDARD_OUTPUT) {
    if (force)
      throw new UsageError(
        "force: has no effect on standard output; remove it",
        "force",
      );
    return;
  }
  if (isNoFile(path))
    throw new UsageError(
      `output: expected a file name, found ${path}`,
      "output",
    );
  checkName(path, format);
  const read = inputs.map((input) => inputFile(input));
  checkFiles([{ name: "output", path, use: "output" }, ...read]);
  checkReplaceable(path, force);
}

/** An input as messages name it; `-` is standard input. */
export function inputFile(path: string): UsedFile {
  return path === "-"
    ? { name: "standard input", path: 0, use: "read" }
    : { name: "the input", path, use: "read" };
}

/** @throws OutputExistsError where something is at `path` that a file may not replace */
export function checkReplaceable(path: string, force: boolean): void {
  const found = lstatOrNull(path);
  if (!found) return;
  if (!found.isFile())
    throw new OutputExistsError(
      path,
      `is ${kindOf(found)}; choose another path`,
    );
  if (!force)
    throw new OutputExistsError(
      path,
      "already exists; use --force to overwrite it",
    );
}

/** What is at a path, links not followed; null: nothing. @throws IoError, PermissionError */
export function lstatOrNull(path: string): BigIntStats | null {
  return outputCall(path, "could not be examined", () => {
    const options = { bigint: true, throwIfNoEntry: false } as const;
    return lstatSync(path, options) ?? null;
  });
}

/** A used file as it is now. */
interface Place {
  file: UsedFile;
  found: BigIntStats | null;
  /** Absolute, and without links to folders on the way; empty: a descriptor. */
  resolved: string;
}

function placeOf(file: UsedFile): Place {
  const found = statOrNull(file);
  return { file, found, resolved: resolvedPath(file.path, found) };
}

/** Node puts U+FFFD in the place of bytes that are not UTF-8: the path would name another file. */
function checkUtf8({ name, path }: UsedFile): void {
  const [start] = /^.*\ufffd[^\\/]*/s.exec(`${path}`) ?? [];
  if (start !== undefined && !existsSync(start))
    throw new UsageError(
      `${name}: ${path}: file names must be UTF-8; choose another name`,
    );
}

function checkState({ file: { name, path }, found }: Place): void {
  const advice =
    "give the path of a regular file, or use --json for the report on standard output";
  if (isNoFile(`${path}`))
    throw new UsageError(`${name}: ${path} is not a file name; ${advice}`);
  if (found && !found.isFile())
    throw new UsageError(`${name}: ${path} is ${kindOf(found)}; ${advice}`);
}

/** @throws UsageError where a written file is the same as another, or in a folder of another */
function checkApart(one: Place, other: Place): void {
  const { name, path } = one.file;
  const { name: otherName, path: otherPath, use } = other.file;
  const shown =
    use === "read" && typeof otherPath === "string"
      ? `${otherName} ${otherPath}`
      : otherName;
  if (isSame(one, other))
    throw new UsageError(
      `${name}: ${path} is the same file as ${shown}; choose another path`,
    );
  if (other.resolved !== "" && one.resolved.startsWith(other.resolved + sep))
    throw new UsageError(
      `${name}: ${path} is inside ${shown}; choose a path outside`,
    );
}

function isSame(one: Place, other: Place): boolean {
  if (one.found && other.found)
    return (
      one.found.dev === other.found.dev && one.found.ino === other.found.ino
    );
  if (one.found || other.found) return false;
  // On some file systems names that differ in case are one file, which nothing shows before it is there.
  return folded(one.resolved) === folded(other.resolved);
}

function folded(path: string): string {
  return path.normalize().toLowerCase();
}

/** A path that names no file of this machine. */
function isNoFile(path: string): boolean {
  return path === STANDARD_OUTPUT || isS3(path) || /[\\/]$/.test(path);
}

function kindOf(found: BigIntStats): string {
  if (found.isDirectory()) return "a directory";
  return found.isSymbolicLink() ? "a symbolic link" : "a device or pipe";
}

function statOrNull({ path, use }: UsedFile): BigIntStats | null {
  try {
    if (typeof path === "number") {
      const found = fstatSync(path, { bigint: true });
      return found.isFile() ? found : null;
    }
    return (use === "read" ? statSync : lstatSync)(path, { bigint: true });
  } catch {
    // Not there, or not to be examined: opening it says why.
    return null;
  }
}

function resolvedPath(
  path: string | number,
  found: BigIntStats | null,
): string {
  if (typeof path === "number") return "";
  if (found?.isDirectory()) return realpathSync(path);
  const full = resolve(path);
  let folder = dirname(full);
  for (let rest = basename(full); ; folder = dirname(folder))
    try {
      return join(realpathSync(folder), rest);
    } catch {
      // A folder that is not there yet, or not ours to enter.
      if (folder === dirname(folder)) return full;
      rest = join(basename(folder), rest);
    }
}
