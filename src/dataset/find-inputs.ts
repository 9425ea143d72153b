import { realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { isDynamicPattern } from "tinyglobby";
import { InputMissingError, UsageError } from "../errors.js";
import { checkFiles, inputFile } from "../output/written-files.js";
import { assertSupportedScheme, isS3 } from "../store/location.js";
import type { S3Access } from "../store/s3-options.js";
import {
  inputCall,
  inputError,
  systemErrorKind,
  systemErrorName,
} from "../system-error.js";
import type { PlannedState } from "./dataset-plan.js";
import { findOnS3 } from "./find-on-s3.js";
import {
  commonFolder,
  compareNames,
  insideOutput,
  isBesideData,
} from "./input-names.js";
import { isWithin } from "./is-within.js";
import { type ListedFiles, listFiles } from "./list-files.js";

/** The inputs of a dataset, and the folder that all of them are in. */
export interface FoundInputs {
  root: string;
  /** Paths from the root, with slashes, in natural order. */
  names: string[];
  /** Files of folders that are no inputs, by their extensions. */
  ignored: string[];
  /** Of objects, which a list tells of with their names. */
  states?: ReadonlyMap<string, PlannedState>;
  /** Of files whose names are not UTF-8, the bytes of the path by the escaped name. */
  undecodable?: ReadonlyMap<string, Buffer>;
}

/**
 * The files that paths, folders and patterns name. Of a folder all files in it and below, but for those whose names, or
 * whose folders' names, start with `.` or `_`: of data pipelines those are not data.
 * @throws InputMissingError for a path or pattern that names nothing; UsageError for standard input, a URL of an unsupported
 * scheme, an output among the inputs, or an input inside the output
 */
export async function findInputs(
  wanted: readonly string[],
  output: string,
  s3: S3Access = {},
): Promise<FoundInputs> {
  for (const location of wanted) assertSupportedScheme(location, "input");
  if (wanted.some(isS3)) return findOnS3(wanted, output, s3);
  const found = new Set<string>();
  const ignored = new Set<string>();
  const undecodable = new Map<string, Buffer>();
  for (const path of wanted) {
    checkFiles([
      { name: "output", path: output, use: "output" },
      inputFile(path),
    ]);
    const { files, beside, undecodable: bytes } = await filesOf(path);
    for (const file of beside) ignored.add(file);
    for (const [file, name] of bytes) undecodable.set(file, name);
    // A pattern also matches the parts of an earlier dataset, which was made from the other files.
    const outside = files.filter((file) => !isInside(file, output));
    const inputs = outside.length > 0 ? outside : files;
    if (inputs.length === 0) throw await missing(path);
    refuseInside(output, inputs, bytes);
    for (const file of inputs) found.add(file);
  }
  const paths = [...found];
  const root =
    paths.map(dirname).reduce((a, b) => commonFolder(a, b, sep)) || sep;
  const nameOf = (path: string) => relative(root, path).split(sep).join("/");
  return {
    root,
    names: paths.map(nameOf).sort(compareNames),
    ignored: [...ignored].filter((file) => !found.has(file)).sort(compareNames),
    undecodable: new Map(
      [...undecodable].map(([path, bytes]) => [nameOf(path), bytes]),
    ),
  };
}

/** The files that a path, folder or pattern names; `beside`: files of a folder that are no inputs. */
export async function filesOf(
  path: string,
): Promise<Omit<ListedFiles, "hidden"> & { beside: string[] }> {
  if (path === "-")
    throw new UsageError(
      "input: a dataset cannot read standard input, because a resumed run reads its inputs again; give file paths",
      "input",
    );
  const kind = await kindOf(path);
  if (kind === "file" || (kind === null && !isDynamicPattern(path)))
    return {
      files: kind === "file" ? [resolve(path)] : [],
      beside: [],
      undecodable: new Map(),
    };
  const listed = await listFiles(path, kind ?? "pattern");
  const { files, hidden, undecodable } = listed;
  if (kind === null) return { files, beside: [], undecodable };
  return {
    files: files.filter((file) => !isBesideData(file)),
    beside: [...files.filter(isBesideData), ...hidden],
    undecodable,
  };
}

async function missing(path: string): Promise<InputMissingError> {
  const what =
    (await kindOf(path)) === "folder"
      ? `${path} contains no input files (names that start with . or _ are ignored, and so are text, logs and pictures)`
      : isDynamicPattern(path)
        ? `no file matches ${path}`
        : undefined;
  return new InputMissingError(path, undefined, what);
}

/** @throws UsageError where replacing the output would delete an input */
function refuseInside(
  output: string,
  inputs: readonly string[],
  undecodable: ReadonlyMap<string, Buffer>,
): void {
  const checked = new Set<string>();
  for (const input of inputs) {
    const real = inputCall(input, "could not be examined", () =>
      realpathSync.native(undecodable.get(input) ?? input),
    );
    const folder = dirname(real);
    if (!checked.has(folder) && isWithin(folder, output))
      throw insideOutput(real === input ? input : `${input} (${real})`, output);
    checked.add(folder);
  }
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}

async function kindOf(path: string): Promise<"file" | "folder" | null> {
  try {
    const found = await stat(path);
    return found.isDirectory() ? "folder" : "file";
  } catch (error) {
    const name = systemErrorName(error);
    // A pattern may be longer than a name can be.
    if (name === "ENAMETOOLONG") return null;
    if (name && systemErrorKind(name) === "missing") return null;
    throw inputError(path, "could not be examined", error);
  }
}
