import { AbortedError, StoppedError } from "../errors.js";
import type { Crew } from "../pool/crew.js";
import { startEarly } from "../start-early.js";
import { openStore } from "../store/open-store.js";
import type { Store } from "../store/store.js";
import { makePlan } from "./dataset-plan.js";
import { DatasetRun } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import { findInputs } from "./find-inputs.js";
import { besideDataText } from "./input-names.js";
import { type Inputs, openInputs } from "./inputs.js";
import { runFolders } from "./names.js";
import { bytesOptions, type ResolvedDataset } from "./options.js";
import { pinInputs } from "./pin-inputs.js";
import { planShards } from "./plan-shards.js";
import { savedParts } from "./planned-run.js";
import type { Watched } from "./stopping.js";

/** A run over a dataset, the store that it is in, and what it is over. */
export interface StoredRunOver {
  run: DatasetRun;
  store: Store;
  inputs: Inputs;
}

/** Milliseconds for the look at what is saved, once planning was stopped. */
const SAVED_MS = 3000;

interface PlanHooks extends Pick<DatasetHooks, "onEvent">, Watched {
  /** Ends the requests of the run that is returned; `signal` those of the planning. */
  now?: AbortSignal | undefined;
}

/**
 * Plans a run from its options. Reads the structure of every input, writes nothing.
 * @param crew who will make it: gets ready meanwhile
 * @throws SoftjacError; StoppedError where it was stopped with parts of earlier calls saved
 */
export async function planRunOver(
  dataset: ResolvedDataset,
  hooks: PlanHooks,
  crew?: Crew,
): Promise<StoredRunOver> {
  try {
    return await plan(dataset, hooks, crew);
  } catch (error) {
    const saved =
      error instanceof AbortedError
        ? await savedParts(dataset.output, {
            ...dataset.s3,
            signal: AbortSignal.timeout(SAVED_MS),
          }).catch(() => 0)
        : 0;
    if (saved === 0) throw error;
    throw new StoppedError(
      saved,
      0,
      { cause: error },
      `${dataset.output}: stopped before the run was planned; ${saved} shards of earlier runs are kept; run the same command again`,
    );
  }
}

async function plan(
  dataset: ResolvedDataset,
  hooks: PlanHooks,
  crew?: Crew,
): Promise<StoredRunOver> {
  const { signal, now = signal } = hooks;
  const found = await findInputs(dataset.inputs, dataset.output, {
    ...dataset.s3,
    signal,
  });
  const message = besideDataText(found.ignored);
  if (message) hooks.onEvent?.({ event: "warning", message });
  const s3 = { ...dataset.s3, signal: now };
  const inputs = await openInputs(found.root, s3, found);
  const paths = found.names.map((name) => inputs.path(name));
  // Its parts use them one after the other.
  const options = {
    ...dataset.of(dataset.inputs[0] as string),
    threadsAsked: true,
  };
  if (crew) await startEarly(crew, paths, options);
  const { pinned, sizes, leftOut } = await pinInputs(
    found.names,
    inputs,
    dataset,
    hooks,
  );
  const planned = makePlan(found.root, {
    checksums: dataset.checksums,
    options: bytesOptions(dataset.of(dataset.inputs[0] as string)),
    inputs: pinned,
    leftOut,
    shards: planShards(sizes, dataset),
  });
  const folders = runFolders(dataset.output, planned.fingerprint);
  const store = await openStore(folders.out, s3, folders.tmp);
  return { run: new DatasetRun(store, folders, planned), store, inputs };
}
