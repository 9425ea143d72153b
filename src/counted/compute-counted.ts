import { AbortedError } from "../errors.js";
import { failureError, firstFailure, unexpectedError } from "../failures.js";
import { sourcePieces } from "../input/source-pieces.js";
import { countDropped } from "../ordered/count-dropped.js";
import type { EntriesJob } from "../ordered/entries-job.js";
import type {
  CountTask,
  EntriesCursor,
  EntriesPart,
  Failure,
  StoreTask,
} from "../pool/protocol.js";
import type { Production } from "../production.js";
import type { EntriesTable } from "../results/entries-table.js";

export interface CountedComputation extends Production {
  job: EntriesJob;
  table: EntriesTable;
}

/** Rows whose entries are counted, then stored, in one slot. */
type Group = Pick<CountTask, "slot" | "rowStart" | "rowEnd">;

/** What has been counted of a group. */
interface Counted {
  /** Entries of all groups before it. */
  before: number;
  entries: number;
  badRows: number[];
}

/** Ends a slot's work: what failed has been noted already. */
class Stopped extends Error {}

/**
 * Counts and stores all entries, a group of rows in each slot at a time: groups are counted and stored in any order, but
 * what comes before each is known in row order. The first failure in row order stops the run; tasks in flight are drained
 * before it is thrown. Returns how many entries there are.
 */
export async function computeCounted(
  computation: CountedComputation,
): Promise<number> {
  const { job, table, pool, report, signal, paths } = computation;
  const { rowStart, rows, slots } = job.plan;
  const rowEnd = rowStart + rows;
  const { entryBytes } = table;
  const failures: Failure[] = [];
  const errors: unknown[] = [];
  const progressErrors: unknown[] = [];
  let next = rowStart;
  /** Entries of all groups that were begun. */
  let counted: Promise<number> = Promise.resolve(0);
  let entries = 0;

  const stopped = () =>
    signal?.aborted ||
    failures.length + errors.length + progressErrors.length > 0;
  const run = async (
    task: CountTask | StoreTask,
  ): Promise<{ part: EntriesPart; badRows: number[] }> => {
    const reply = await pool.run(task);
    if (reply.ok)
      return { part: reply.part as EntriesPart, badRows: reply.badRows };
    failures.push(reply.failure);
    throw new Stopped();
  };
  const count = async (group: Group): Promise<Counted> => {
    const { rowStart, rowEnd } = group;
    const pieces = sourcePieces(computation.logits, rowStart, rowEnd);
    // The ones before are waited for in any case: what fails there comes first.
    const [before, own] = await Promise.allSettled([
      counted,
      run({ ...group, kind: "count", pieces }),
    ]);
    if (before.status === "rejected") throw before.reason;
    if (own.status === "rejected") throw own.reason;
    const { part, badRows } = own.value;
    countDropped(computation, group.slot * job.slot.bytes, part);
    return { before: before.value, entries: part.entries, badRows };
  };
  const store = async (group: Group, before: number): Promise<void> => {
    let entry = before;
    let from: EntriesCursor | null = { row: 0, i: 0 };
    while (from && !stopped()) {
      const { part }: { part: EntriesPart } = await run({
        ...group,
        kind: "store",
        from,
        entry,
      });
      entry += part.entries;
      from = part.next;
      entries += part.entries;
      report.set({ entries });
      report.wrote(part.entries * entryBytes);
      computation.output.wrote(part.entries * entryBytes);
      if (from) tellProgress();
    }
  };
  const tellProgress = (): void => {
    try {
      computation.onProgress();
    } catch (error) {
      progressErrors.push(error);
    }
  };
  const fillSlot = async (slot: number): Promise<void> => {
    while (next < rowEnd && !stopped()) {
      const first = next;
      const perRow =
        report.rowsDone > 0 ? entries / report.rowsDone : job.plan.mostEntries;
      next += rowsOfNextGroup(job, rowEnd - first, perRow * entryBytes);
      const group = { slot, rowStart: first, rowEnd: next };
      const own = count(group);
      counted = own.then(({ before, entries }) => before + entries);
      counted.catch(() => {});
      const found = await own;
      if (found.entries > 0) await store(group, found.before);
      if (stopped()) return;
      report.count(group.rowEnd - group.rowStart, found.badRows);
      tellProgress();
    }
  };
  await Promise.all(
    Array.from({ length: slots }, (_, slot) =>
      fillSlot(slot).catch((error) => {
        if (!(error instanceof Stopped)) errors.push(error);
      }),
    ),
  );

  if (failures.length > 0) throw failureError(firstFailure(failures), paths);
  if (errors.length > 0) throw unexpectedError(errors[0], paths);
  // What the caller's own onProgress threw is the caller's, as it is.
  if (progressErrors.length > 0) throw progressErrors[0];
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  return await counted;
}

/** Of the output, made of one group: rows that are done are told group by group. */
const GROUP_BYTES = 64 << 20;

/** As many as have their spaces in a slot; fewer where they have many entries, and in the end, so that threads end together. */
function rowsOfNextGroup(
  { plan }: EntriesJob,
  rowsLeft: number,
  rowBytes: number,
): number {
  const share = Math.ceil(rowsLeft / (4 * Math.max(1, plan.threads)));
  const rows = Math.floor(GROUP_BYTES / Math.max(rowBytes, 1));
  return Math.max(1, Math.min(plan.chunkRows, share, rows));
}
