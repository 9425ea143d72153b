import picomatch from "picomatch";
import { resolveLocation } from "../io/location.js";
import type { ObjectStore, Stored } from "../storage/store.js";
import type { PlannedState } from "./dataset-plan.js";
import { isHidden, isIgnoredName } from "./input-names.js";

/**
 * Lists an object, the objects below a prefix, or those that match a pattern. Empty objects that mark folders are not listed.
 */
export async function listObjects(
  store: ObjectStore,
  location: string,
): Promise<ListedInputs> {
  const name = resolveLocation(location);
  const [, bucket = "", key = ""] =
    /^(\w+:\/\/[^/]+)\/?(.*)$/s.exec(name) ?? [];
  if (!location.endsWith("/") && key !== "") {
    const one = await store.head(name);
    const states = one && new Map([[name, stateOf(one)]]);
    if (states) return { files: [name], ignored: [], states };
  }
  const { base, input, isGlob } = picomatch.scan(key);
  const folder = isGlob ? base : input;
  const start = folder === "" ? `${bucket}/` : `${bucket}/${folder}/`;
  const isMatch = isGlob ? picomatch(key) : () => true;
  const ignored: string[] = [];
  const states = new Map<string, PlannedState>();
  for await (const [name, object] of store.listAll(start)) {
    if (name.endsWith("/") || !isMatch(name.slice(bucket.length + 1))) continue;
    const parts = name.slice(start.length).split("/");
    const isData = !isHidden(parts) && (isGlob || !isIgnoredName(name));
    if (isData) states.set(name, stateOf(object));
    else if (!isGlob && !isHidden(parts.slice(0, -1))) ignored.push(name);
  }
  const emptyMessage = `no objects at ${location} (names that start with . or _ are ignored)`;
  return { files: [...states.keys()], ignored, states, emptyMessage };
}

function stateOf({ bytes, etag = "" }: Stored): PlannedState {
  return { bytes, etag };
}

/** Inputs of a dataset, and their deepest common directory. */
export interface FoundInputs {
  root: string;
  /** Paths relative to the root, with slashes, in natural order. */
  names: string[];
  /** Paths of files that were ignored because of their names. */
  ignored: string[];
  /** States of objects from the listing. */
  states: ReadonlyMap<string, PlannedState>;
  /** Escaped names of files whose names are not UTF-8. */
  undecodable: ReadonlySet<string>;
}

/** Inputs that one path, directory or pattern names. */
export interface ListedInputs
  extends Partial<Pick<FoundInputs, "states" | "undecodable">>,
    Pick<FoundInputs, "ignored"> {
  files: string[];
  /** Error message if there are no files; default: the path does not exist. */
  emptyMessage?: string | undefined;
}
