import { basename, dirname, join, resolve } from "node:path";
import { InternalError, PlanMissingError, UsageError } from "../errors.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { DatasetRun } from "./dataset-run.js";
import { fingerprintOf } from "./fingerprint.js";
import { PLAN, runFolders, SUCCESS } from "./names.js";
import type { StoredRunOver } from "./plan-run-over.js";
import { PosixStore } from "./posix-store.js";
import { decodeJson } from "./records.js";

/**
 * The run that has been planned for an output: the one under way, else the one that is published.
 * @param fingerprint which, where several are under way
 * @throws PlanMissingError, UsageError where there are several, InternalError where its plan is not what was written
 */
export async function openPlannedRun(
  output: string,
  fingerprint?: string,
): Promise<StoredRunOver> {
  const out = resolve(output);
  const store = new PosixStore(dirname(out));
  const marker = `${basename(out)}.__wip-`;
  const underWay = (await store.list(dirname(out)))
    .filter((name) => name.startsWith(marker))
    .map((name) => name.slice(marker.length))
    .filter((found) => fingerprint === undefined || found === fingerprint);
  if (underWay.length > 1)
    throw new UsageError(
      `run: expected the fingerprint of one of the runs for ${out}, which are ${underWay.join(", ")}, found none`,
      "run",
    );
  const [found] = underWay;
  const folder = found ? `${out}.__wip-${found}` : out;
  const bytes = await store.read(join(folder, PLAN));
  const isOurs = found || (await store.stat(join(out, SUCCESS)));
  if (!bytes || !isOurs) throw new PlanMissingError(out);
  const plan = decodeJson(bytes) as DatasetPlan | null;
  if (!plan?.of || fingerprintOf(plan.of) !== plan.fingerprint)
    throw new InternalError(
      `${join(folder, PLAN)}: expected the plan of a run, found other content`,
    );
  if (fingerprint !== undefined && plan.fingerprint !== fingerprint)
    throw new PlanMissingError(out);
  const folders = runFolders(out, plan.fingerprint);
  const own = new PosixStore(folders.tmp);
  return { run: new DatasetRun(own, folders, plan), store: own };
}
