import { basename, dirname, join } from "node:path";
import { InternalError, PlanMissingError, UsageError } from "../errors.js";
import { isS3, resolveLocation } from "../io/location.js";
import { openStore, type StoreAccess } from "../storage/open-store.js";
import { hasFolders, type ObjectStore, type Store } from "../storage/store.js";
import { type DatasetPlan, fingerprintOf } from "./dataset-plan.js";
import type { DatasetRun } from "./dataset-run.js";
import { FolderRun } from "./folder-run.js";
import type { Inputs } from "./inputs.js";
import { PLAN, runFolders, SUCCESS } from "./names.js";
import { openInputs } from "./open-inputs.js";
import { PrefixRun } from "./prefix-run.js";
import { decodeJson, type Success } from "./records.js";

/** A run over a dataset, the store that it is in, and its inputs. */
export interface OpenDatasetRun {
  run: DatasetRun;
  store: Store;
  inputs: Inputs;
}

/** Maximum number of looks for a plan whose folder other processes rename. */
const LOOKS = 10;

/**
 * Opens the run that is planned for an output: the one in progress, or else the published one.
 * @param first which of the two comes first without a fingerprint
 * @throws PlanMissingError; UsageError if there are several; InternalError if its plan was changed; OutputExistsError if its
 * folder is a link
 */
export async function openPlannedRun(
  output: string,
  fingerprint?: string,
  access: StoreAccess = {},
  first: First = "under way",
): Promise<OpenDatasetRun> {
  const out = resolveLocation(output);
  const store = await openStore(out, access);
  const { name, bytes } = await readPlan(store, out, fingerprint, first);
  const plan = decodeJson(bytes) as DatasetPlan | null;
  if (!plan?.of || fingerprintOf(plan.of) !== plan.fingerprint)
    throw new InternalError(`${name} is not a valid plan`);
  if (fingerprint !== undefined && plan.fingerprint !== fingerprint)
    throw new PlanMissingError(out);
  const inputs = await openInputs(plan.root, access);
  const opened = await openRun(out, plan, access);
  const { run } = opened;
  if (!isS3(out) && !(await run.isPublished())) await run.checkLocation();
  return { ...opened, inputs };
}

/**
 * Opens a run in the store of its output.
 * @param tmp folder for its temporary files; default: that of the run
 */
export async function openRun(
  out: string,
  plan: DatasetPlan,
  access: StoreAccess,
  tmp = runFolders(out, plan.fingerprint).tmp,
): Promise<Omit<OpenDatasetRun, "inputs">> {
  const folders = { ...runFolders(out, plan.fingerprint), tmp };
  const store = await openStore(out, access, tmp);
  const run = hasFolders(store)
    ? new FolderRun(store, folders, plan)
    : new PrefixRun(store as ObjectStore, folders, plan);
  return { run, store };
}

type First = "under way" | "published";

/** Reads a plan. @throws PlanMissingError */
async function readPlan(
  store: Store,
  out: string,
  fingerprint: string | undefined,
  first: First,
): Promise<{ name: string; bytes: Uint8Array }> {
  for (let look = 1; look <= LOOKS; look++) {
    const name = isS3(out)
      ? `${out}/${PLAN}`
      : await findPlan(store, out, fingerprint, first);
    const bytes = name === null ? null : await store.read(name);
    if (name !== null && bytes) return { name, bytes };
    // Another process may have published the run meanwhile, which moves the plan.
    if (name === null || isS3(out)) break;
  }
  throw new PlanMissingError(out);
}

/** Returns the fingerprints of other runs in progress for an output. */
export async function otherRuns(
  output: string,
  fingerprint: string,
): Promise<string[]> {
  const out = resolveLocation(output);
  // A prefix has only one run.
  if (isS3(out)) return [];
  const found = await unfinishedRuns(await openStore(out), out);
  return found.filter((other) => other !== fingerprint);
}

/** Returns the fingerprints of runs that have a folder beside an output. */
async function unfinishedRuns(store: Store, out: string): Promise<string[]> {
  const marker = `${basename(out)}.__wip-`;
  return [...(await store.list(dirname(out), marker)).keys()]
    .map((name) => name.slice(marker.length))
    .filter((found) => /^[0-9a-f]{16}$/.test(found));
}

/** Returns the name of the plan of a directory; null: there is none. @throws UsageError */
async function findPlan(
  store: Store,
  out: string,
  fingerprint: string | undefined,
  first: First,
): Promise<string | null> {
  // In this order, a run that is published meanwhile is found in one of the two places.
  const beside = await unfinishedRuns(store, out);
  const success = await store.read(join(out, SUCCESS));
  const { fingerprint: published } = (decodeJson(success) ??
    {}) as Partial<Success>;
  if (published && first === "published" && !fingerprint)
    return join(out, PLAN);
  const underWay = beside.filter(
    (found) => found !== published && found === (fingerprint ?? found),
  );
  if (underWay.length > 1) {
    const runs = [
      ...(published ? [`${published} (published)`] : []),
      ...underWay,
    ];
    throw new UsageError(
      `run: several runs are planned for ${out}; name one: ${runs.join(", ")}`,
      "run",
    );
  }
  const [found] = underWay;
  if (found) return join(`${out}.__wip-${found}`, PLAN);
  return success ? join(out, PLAN) : null;
}
