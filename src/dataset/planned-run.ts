import { basename, dirname, join } from "node:path";
import {
  InputFormatError,
  InternalError,
  PlanMissingError,
  UsageError,
} from "../errors.js";
import { isRemote, resolveLocation } from "../io/location.js";
import type { RunModel } from "../model/run-model.js";
import { openStore } from "../storage/open-store.js";
import {
  hasFolders,
  type ObjectStore,
  type Store,
  type StoreAccess,
} from "../storage/store.js";
import {
  decodeJson,
  PLAN,
  runFolders,
  SUCCESS,
  type Success,
} from "./dataset-files.js";
import { type DatasetPlan, fingerprintOf } from "./dataset-plan.js";
import type { DatasetRun } from "./dataset-run.js";
import type { FoundInputs } from "./find-inputs.js";
import { FolderRun } from "./folder-run.js";
import { FileInputs, type Inputs } from "./inputs.js";
import { readStoredModel } from "./model-files.js";
import { PrefixRun } from "./prefix-run.js";

/** Run over a dataset, its store and its inputs. */
export interface OpenDatasetRun {
  run: DatasetRun;
  store: Store;
  inputs: Inputs;
  /** Reads the model whose logits replace the features of the inputs; null for inputs of logits. */
  model: () => Promise<RunModel | null>;
}

/** Maximum attempts to read a plan whose directory other processes rename. */
const MAX_ATTEMPTS = 10;

/**
 * Opens a run of an output.
 * @param fingerprint run to open; default: the only unfinished or published run
 * @param prefer run to open if one is unfinished and another one published
 */
export async function openPlannedRun(
  output: string,
  fingerprint?: string,
  access: StoreAccess = {},
  prefer: Preference = "unfinished",
): Promise<OpenDatasetRun> {
  const out = resolveLocation(output);
  const store = await openStore(out, access);
  const { name, plan } = await readPlan(store, out, fingerprint, prefer);
  if (!plan?.of || fingerprintOf(plan.of) !== plan.fingerprint)
    throw new InternalError(`${name} is not a valid plan`);
  if (fingerprint !== undefined && plan.fingerprint !== fingerprint)
    throw new PlanMissingError(out);
  const inputs = await openInputs(plan.root, access);
  const opened = await openRun(out, plan, access);
  if (!isRemote(out) && !(await opened.run.isPublished()))
    await opened.run.checkLocation();
  const model = () => readStoredModel(opened.run);
  return { ...opened, inputs, model };
}

/**
 * Opens a run in the store of its output.
 * @param tmp directory for temporary files; default: that of the run
 */
export async function openRun(
  out: string,
  plan: DatasetPlan,
  access: StoreAccess,
  tmp = runFolders(out, plan.fingerprint).tmp,
): Promise<Omit<OpenDatasetRun, "inputs" | "model">> {
  const folders = { ...runFolders(out, plan.fingerprint), tmp };
  const store = await openStore(out, access, tmp);
  const run = hasFolders(store)
    ? new FolderRun(store, folders, plan)
    : new PrefixRun(store as ObjectStore, folders, plan);
  return { run, store };
}

/** @param root directory, or `s3://bucket/prefix`, that input names are relative to */
export async function openInputs(
  root: string,
  access: StoreAccess,
  states?: FoundInputs["states"],
): Promise<Inputs> {
  if (!isRemote(root)) return new FileInputs(root, states);
  const { StagedInputs } = await import("./staged-inputs.js");
  return new StagedInputs(root, access, states);
}

type Preference = "unfinished" | "published";

async function readPlan(
  store: Store,
  out: string,
  fingerprint: string | undefined,
  prefer: Preference,
): Promise<{ name: string; plan: DatasetPlan | null }> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const found = isRemote(out)
      ? { folder: out, published: null }
      : await findRun(store, out, fingerprint, prefer);
    if (!found) break;
    const name = `${found.folder}/${PLAN}`;
    const bytes = await store.read(name);
    const plan = decodeJson(bytes) as DatasetPlan | null;
    const { published } = found;
    if (bytes && (!published || plan?.fingerprint === published.fingerprint))
      return { name, plan };
    // Publication by another process moves or replaces the plan between `findRun` and `read`.
    if (isRemote(out)) break;
    if (bytes && attempt === MAX_ATTEMPTS)
      throw new InputFormatError(
        out,
        SUCCESS,
        `it does not have the fingerprint of ${PLAN}, so one of them is damaged; copy the dataset again, or compute it into another output`,
      );
  }
  throw new PlanMissingError(out);
}

/** Returns the fingerprints of other unfinished runs of an output. */
export async function otherRuns(
  output: string,
  fingerprint: string,
): Promise<string[]> {
  const out = resolveLocation(output);
  // A prefix belongs to one run.
  if (isRemote(out)) return [];
  const runs = await unfinishedRuns(await openStore(out), out);
  return runs.filter((run) => run !== fingerprint);
}

/** Returns the fingerprints of runs that have a directory next to an output. */
async function unfinishedRuns(store: Store, out: string): Promise<string[]> {
  const marker = `${basename(out)}.__wip-`;
  return [...(await store.list(dirname(out), marker)).keys()]
    .map((name) => name.slice(marker.length))
    .filter((suffix) => /^[0-9a-f]{16}$/.test(suffix));
}

/** Directory of a run. */
interface FoundRun {
  folder: string;
  /** Content of _SUCCESS; null for an unfinished run. */
  published: Partial<Success> | null;
}

/** Returns the run to open, or null if there is none. @throws UsageError */
async function findRun(
  store: Store,
  out: string,
  fingerprint: string | undefined,
  prefer: Preference,
): Promise<FoundRun | null> {
  // Listing unfinished runs first ensures that a run which is published meanwhile is found in one of the two directories.
  const listed = await unfinishedRuns(store, out);
  const success = await store.read(join(out, SUCCESS));
  const published = (decodeJson(success) ?? {}) as Partial<Success>;
  const { fingerprint: done } = published;
  if (done && prefer === "published" && !fingerprint)
    return { folder: out, published };
  const unfinished = listed.filter(
    (run) => run !== done && run === (fingerprint ?? run),
  );
  if (unfinished.length > 1) {
    const first = done ? `${done} (published), ` : "";
    throw new UsageError(
      `run: several runs are planned for ${out}; name one: ${first}${unfinished.join(", ")}`,
    );
  }
  const [run] = unfinished;
  if (run) return { folder: `${out}.__wip-${run}`, published: null };
  return success && { folder: out, published };
}
