import picomatch from "picomatch";
import { InputMissingError, UsageError } from "../errors.js";
import { isS3, type S3Place, s3Name, s3Place } from "../store/location.js";
import { type Objects, openObjects } from "../store/s3/objects.js";
import type { S3Access } from "../store/s3-options.js";
import type { PlannedState } from "./dataset-plan.js";
import type { FoundInputs } from "./find-inputs.js";
import {
  commonFolder,
  compareNames,
  insideOutput,
  isBesideData,
  isHidden,
} from "./input-names.js";

/**
 * The objects that locations on S3 name: single ones, what is under a prefix, and patterns; as findInputs does for files.
 * @throws InputMissingError, UsageError, and what S3 says no with
 */
export async function findOnS3(
  wanted: readonly string[],
  output: string,
  options: S3Access,
): Promise<FoundInputs> {
  refuseMixed(wanted);
  const objects = await openObjects(options);
  const states = new Map<string, PlannedState>();
  const ignored = new Set<string>();
  for (const location of wanted) {
    refuseAround(output, location);
    const found = await objectsOf(objects, location, ignored);
    if (found.length === 0) throw missing(location);
    // A pattern also matches the parts of an earlier dataset, which was made from the other objects.
    const inputs = found.filter(([name]) => !name.startsWith(`${output}/`));
    if (inputs.length === 0) throw insideOutput(location, output);
    for (const [name, state] of inputs) states.set(name, state);
  }
  const names = [...states.keys()];
  const root = names.map(folderOf).reduce((a, b) => commonFolder(a, b, "/"));
  const fromRoot = [...states].map(
    ([name, state]) => [name.slice(root.length + 1), state] as const,
  );
  return {
    root,
    names: fromRoot.map(([name]) => name).sort(compareNames),
    ignored: [...ignored]
      .filter((name) => !states.has(name))
      .sort(compareNames),
    states: new Map(fromRoot),
  };
}

function refuseMixed(wanted: readonly string[]): void {
  const buckets = new Set(
    wanted.map((location) => (isS3(location) ? s3Place(location).bucket : "")),
  );
  if (buckets.size > 1)
    throw new UsageError(
      `inputs: all inputs must be in one bucket or all be local files, found ${[...buckets].map((bucket) => (bucket ? `s3://${bucket}` : "files")).join(", ")}`,
      "inputs",
    );
}

function refuseAround(output: string, location: string): void {
  const { bucket, key } = s3Place(location);
  const input = s3Name(bucket, key);
  if (output === input || output.startsWith(`${input}/`))
    throw new UsageError(
      `output: ${output} is inside the input ${location}; choose another prefix`,
      "output",
    );
}

async function objectsOf(
  objects: Objects,
  location: string,
  ignored: Set<string>,
): Promise<[name: string, state: PlannedState][]> {
  const place = s3Place(location);
  const name = s3Name(place.bucket, place.key);
  if (!location.endsWith("/") && place.key !== "") {
    const one = await objects.head(place);
    if (one) return [[name, stateOf(one)]];
  }
  const { base, input, isGlob } = picomatch.scan(place.key);
  const folder = isGlob ? base : input;
  const key = folder === "" ? "" : `${folder}/`;
  const isMatch = isGlob ? picomatch(place.key) : () => true;
  const { found, hidden } = await listed(objects, { ...place, key }, isMatch);
  if (isGlob) return found;
  for (const name of hidden) ignored.add(name);
  for (const [name] of found) if (isBesideData(name)) ignored.add(name);
  return found.filter(([name]) => !isBesideData(name));
}

/** Lists the objects under a prefix that match, except empty ones that stand for folders; hidden ones are listed apart. */
async function listed(
  objects: Objects,
  { bucket, key: start }: S3Place,
  isMatch: (key: string) => boolean,
): Promise<{ found: [string, PlannedState][]; hidden: string[] }> {
  const found: [string, PlannedState][] = [];
  const hidden: string[] = [];
  for await (const page of objects.list({ bucket, key: start }))
    for (const { key, ...object } of page.objects) {
      if (key.endsWith("/") || !isMatch(key)) continue;
      const parts = key.slice(start.length).split("/");
      const name = s3Name(bucket, key);
      if (!isHidden(parts)) found.push([name, stateOf(object)]);
      else if (!isHidden(parts.slice(0, -1))) hidden.push(name);
    }
  return { found, hidden };
}

function stateOf({
  bytes,
  etag,
}: {
  bytes: number;
  etag: string;
}): PlannedState {
  return { bytes, etag };
}

function folderOf(name: string): string {
  return name.slice(0, name.lastIndexOf("/"));
}

function missing(location: string): InputMissingError {
  return new InputMissingError(
    location,
    undefined,
    `no objects at ${location} (names that start with . or _ are ignored)`,
  );
}
