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
import { assertSupportedScheme, isRemote } from "../io/location.js";
import { outputCall } from "../io/system-error.js";
import type { FileUse } from "../options/options-table.js";
import { STANDARD_OUTPUT } from "./output-target.js";

/** A format of outputs: its description in messages, and its file extensions, the usual one first. */
interface NamedFormat {
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

export const JSON_FILE: NamedFormat = {
  writes: "softjac calibrate writes JSON",
  extensions: ["json"],
};

/** Extensions of other formats. An extension that is in no list is accepted as part of the name. */
const FOREIGN_EXTENSIONS = new Set(
  `avro bmp bz2 ckpt csv db duckdb gif gz gzip h5 hdf hdf5 jpeg jpg joblib jsonl lz4 lzma mat md msgpack nc ndjson
  npy npz ods onnx orc parq parquet pb pdf pickle pkl png pq pt pth rar rda rdata rds safetensors sav snappy sql sqlite
  svg tar tfrecord tfrecords tgz tsv txt webp xls xlsx xml xz yaml yml zarr zip zst zstd 7z`.split(
    /\s+/,
  ),
);

/**
 * Rejects a file name with the extension of another format.
 * @throws UsageError
 */
export function checkName(
  path: string,
  { writes, extensions }: NamedFormat,
): void {
  const extension = extname(basename(path)).slice(1).toLowerCase();
  if (extensions.includes(extension)) return;
  const isOther = [ARROW, HTML, JSON_FILE].some((format) =>
    format.extensions.includes(extension),
  );
  if (isOther || FOREIGN_EXTENSIONS.has(extension))
    throw new UsageError(
      `${path}: ${writes}; use a name that ends in .${extensions[0]}`,
      "output",
    );
}

/** A file that a command or a library call reads or writes. */
export interface UsedFile {
  /** Name in messages: "--report", "the input", "standard output". */
  name: string;
  /** Path, or the descriptor of an open file. */
  path: string | number;
  use: FileUse;
}

/**
 * Checks every path of a command before any work. Rejects URLs of unsupported schemes, names that are not UTF-8, state files
 * that are not regular files, and a written file that is another file of the command or is inside one of its directories.
 * @throws UsageError
 */
export function checkFiles(files: readonly UsedFile[]): void {
  for (const { path, use } of files)
    assertSupportedScheme(`${path}`, use === "read" ? "input" : "output");
  for (const file of files) if (file.use !== "read") checkUtf8(file);
  const resolvedFiles = files
    .filter(({ path, use }) => use === "state" || !isRemote(`${path}`))
    .map(resolveFile);
  const states = resolvedFiles.filter(({ file }) => file.use === "state");
  const outputs = resolvedFiles.filter(({ file }) => file.use === "output");
  for (const state of states) checkState(state);
  // State files first: if one is the output, the message asks the user to move the state file.
  for (const one of [...states, ...outputs])
    for (const other of resolvedFiles)
      if (other !== one) checkDistinct(one, other);
}

/**
 * Rejects an output path that could not be written at the end of the run.
 * @throws OutputExistsError if `path` exists (with `force`: and is not a regular file); UsageError if it is an input, has the
 * extension of another format, or its directory does not exist
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
  /** Whether `-` means standard output. */
  streams?: boolean;
}): void {
  if (streams && path === STANDARD_OUTPUT) {
    if (force)
      throw new UsageError(
        "force: has no effect on standard output; remove it",
      );
    return;
  }
  if (isNoFile(path))
    throw new UsageError(`output: expected a file name, found ${path}`);
  checkName(path, format);
  const inputFiles = inputs.map((input) => inputFile(input));
  const output: UsedFile = { name: "output", path, use: "output" };
  checkFiles([output, ...inputFiles]);
  checkDirectory(output);
  checkReplaceable(path, force);
}

/** Returns an input for `checkFiles`; `-` is standard input. */
export function inputFile(path: string): UsedFile {
  return path === "-"
    ? { name: "standard input", path: 0, use: "read" }
    : { name: "the input", path, use: "read" };
}

/** @throws OutputExistsError if `path` is not a regular file, or exists and `force` is false */
export function checkReplaceable(path: string, force: boolean): void {
  const stats = lstatOrNull(path);
  if (!stats) return;
  if (!stats.isFile())
    throw new OutputExistsError(
      path,
      `is ${kindOf(stats)}; choose another path`,
    );
  if (!force)
    throw new OutputExistsError(
      path,
      "already exists; use --force to overwrite it",
    );
}

/** Returns the lstat of a path, or null if nothing is there. @throws IoError, PermissionError */
export function lstatOrNull(path: string): BigIntStats | null {
  return outputCall(path, "could not be examined", () => {
    const options = { bigint: true, throwIfNoEntry: false } as const;
    return lstatSync(path, options) ?? null;
  });
}

type ResolvedFile = ReturnType<typeof resolveFile>;

function resolveFile(file: UsedFile) {
  /** null if the file does not exist or cannot be examined. */
  const stats = statOrNull(file);
  /** Absolute path with resolved links to directories; empty for a descriptor. */
  const resolved = resolvedPath(file.path, stats);
  return { file, stats, resolved };
}

/** Rejects a path that was not UTF-8: Node replaced the bytes with U+FFFD, so it names another file. */
function checkUtf8({ name, path }: UsedFile): void {
  const [start] = /^.*\ufffd[^\\/]*/s.exec(`${path}`) ?? [];
  if (start !== undefined && !existsSync(start))
    throw new UsageError(
      `${name}: ${path}: file names must be UTF-8; choose another name`,
    );
}

function checkState({ file: { name, path }, stats }: ResolvedFile): void {
  const advice =
    "give the path of a regular file, or use --json for the report on standard output";
  if (isNoFile(`${path}`))
    throw new UsageError(`${name}: ${path} is not a file name; ${advice}`);
  if (stats && !stats.isFile())
    throw new UsageError(`${name}: ${path} is ${kindOf(stats)}; ${advice}`);
}

/** @throws UsageError if the directory of an output does not exist */
function checkDirectory({ name, path }: UsedFile): void {
  const directory = dirname(`${path}`);
  const stats = outputCall(`${path}`, "could not be examined", () =>
    statSync(directory, { throwIfNoEntry: false }),
  );
  if (stats?.isDirectory()) return;
  throw new UsageError(
    stats
      ? `${name}: ${path}: ${directory} is not a directory; choose another path`
      : `${name}: ${path}: its directory does not exist; create it first`,
  );
}

/** @throws UsageError if `one` is the same file as `other`, or inside it */
function checkDistinct(one: ResolvedFile, other: ResolvedFile): void {
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

function isSame(one: ResolvedFile, other: ResolvedFile): boolean {
  if (one.stats && other.stats)
    return (
      one.stats.dev === other.stats.dev && one.stats.ino === other.stats.ino
    );
  if (one.stats || other.stats) return false;
  // The file system may ignore case, which cannot be detected before the file exists.
  const [path, otherPath] = [one, other].map(({ resolved }) =>
    resolved.normalize().toLowerCase(),
  );
  return path === otherPath;
}

/** Whether a path does not name a local file. */
function isNoFile(path: string): boolean {
  return path === STANDARD_OUTPUT || isRemote(path) || /[\\/]$/.test(path);
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return "a directory";
  return stats.isSymbolicLink() ? "a symbolic link" : "a device or pipe";
}

function statOrNull({ path, use }: UsedFile): BigIntStats | null {
  try {
    if (typeof path === "number") {
      const stats = fstatSync(path, { bigint: true });
      return stats.isFile() ? stats : null;
    }
    return (use === "read" ? statSync : lstatSync)(path, { bigint: true });
  } catch {
    // Opening the file reports the error.
    return null;
  }
}

function resolvedPath(
  path: string | number,
  stats: BigIntStats | null,
): string {
  if (typeof path === "number") return "";
  if (stats?.isDirectory()) return realpathSync(path);
  const full = resolve(path);
  let directory = dirname(full);
  for (let rest = basename(full); ; directory = dirname(directory))
    try {
      return join(realpathSync(directory), rest);
    } catch {
      // The directory does not exist yet, or cannot be entered.
      if (directory === dirname(directory)) return full;
      rest = join(basename(directory), rest);
    }
}
