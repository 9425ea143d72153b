import { readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import {
  decodeJson,
  isDatasetFile,
  MANIFEST,
  type Manifest,
  SUCCESS,
} from "../dataset/dataset-files.js";
import { InputFormatError, InputMissingError } from "../errors.js";
import { interpreting } from "../input/interpreting.js";
import { inputCall } from "../io/system-error.js";

/** Files of results in the order of their rows, and the manifest if they are the shards of a dataset. */
export interface FoundResults {
  path: string;
  parts: readonly {
    path: string;
    /** Name of the input in the dataset; null for a single file. */
    input: string | null;
  }[];
  manifest: Manifest | null;
}

/** Finds the files of results: one file, or the shards of a complete dataset. */
export function findResults(path: string): FoundResults {
  if (!statOf(path)?.isDirectory())
    return { path, parts: [{ path, input: null }], manifest: null };
  return interpreting(path, MANIFEST, () => partsOf(path));
}

function partsOf(path: string): FoundResults {
  const fail = (text: string) => new InputFormatError(path, MANIFEST, text);
  const manifest = readManifest(path);
  if (!Array.isArray(manifest?.parts) || !Array.isArray(manifest.inputs))
    throw fail("not a valid manifest of a dataset");
  const parts = manifest.parts.map(({ part, bytes, input }) => {
    // Rejects names that would lead outside the dataset.
    if (!isDatasetFile(part))
      throw fail(
        `expected file names as in part-00000-of-00001.arrow, found ${JSON.stringify(part)}`,
      );
    const file = join(path, part);
    const size = statOf(file)?.size;
    if (size === undefined) throw new InputMissingError(file);
    if (size !== bytes)
      throw new InputFormatError(
        file,
        "file",
        `expected ${bytes} bytes as in the manifest, found ${size}`,
      );
    return { path: file, input: manifest.inputs[input]?.name ?? null };
  });
  if (parts.length === 0) throw fail("the dataset has no shards");
  return { path, parts, manifest };
}

/** Returns the content of the manifest, which is not checked; null if it is not JSON. */
function readManifest(path: string): Manifest | null {
  for (const name of [SUCCESS, MANIFEST])
    if (!statOf(join(path, name))) {
      const text = `${path} is not a complete dataset: it has no ${name}`;
      throw new InputMissingError(path, {}, text);
    }
  const file = join(path, MANIFEST);
  const bytes = inputCall(file, "could not be read", () => readFileSync(file));
  return decodeJson(bytes) as Manifest | null;
}

function statOf(path: string): Stats | undefined {
  return inputCall(path, "could not be examined", () =>
    statSync(path, { throwIfNoEntry: false }),
  );
}
