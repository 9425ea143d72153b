import { basename } from "node:path";
import { AbortedError, InternalError, type SoftjacError } from "../errors.js";
import { mapConcurrent } from "../io/map-concurrent.js";
import { filesIn, hashOf, type Store, type Stored } from "../storage/store.js";
import type { DatasetPlan, PinnedInput } from "./dataset-plan.js";
import {
  COMMITS,
  recordName,
  shardFileName,
  skippedRecordName,
} from "./names.js";
import { decodeJson, encodeJson, type ShardRecord } from "./records.js";

/** Records read at once, each of which may be a request. */
const RECORDS_AT_ONCE = 16;

/** Parts hashed at once: one is read while another is hashed. */
const PARTS_AT_ONCE = 4;

/** A record, and the state of the file that it was read from. */
export interface StoredRecord {
  record: ShardRecord;
  stored: Stored;
}

/** A file of a run that is missing or damaged. */
export interface Fault {
  /** null: the file is no part. */
  shard: number | null;
  part: string;
  /** Problem, as the rest of a sentence that begins with the file's name. */
  found: string;
  /** Record of the part; null: it is not known. */
  record: ShardRecord | null;
}

/** Which parts are checked, and how. */
export interface CheckOptions {
  /** Default: all shards. */
  isWanted?: ((shard: number) => boolean) | undefined;
  /** Whether a part whose record has a SHA-256 is read in any case; otherwise only if it is younger than its record. */
  thorough?: boolean | undefined;
  /** Records for shards whose own record is missing or damaged. */
  others?: ReadonlyMap<number, StoredRecord> | undefined;
  signal?: AbortSignal | undefined;
  onChecked?: ((shard: number) => void) | undefined;
}

/** Record of an input that was found invalid while its shards were computed. */
interface SkippedRecord {
  fingerprint: string;
  input: number;
  error: string;
}

/** The files of a run in a folder of its store: parts, their records, and the records of skipped inputs. */
export class RunFiles {
  /** Records that were read. */
  readonly #known = new Map<number, StoredRecord>();

  constructor(
    private readonly store: Store,
    private readonly plan: DatasetPlan,
  ) {}

  /** Returns the record of a shard; null: it is not computed. @throws InternalError */
  async record(shard: number, folder: string): Promise<ShardRecord | null> {
    const name = `${folder}/${recordName(shard)}`;
    const bytes = await this.store.read(name);
    if (!bytes) return null;
    const found = decodeJson(bytes) as ShardRecord | null;
    const { fingerprint } = this.plan;
    if (found?.fingerprint !== fingerprint || found.shard !== shard)
      throw new InternalError(
        `${name} is not the record of shard ${shard} of run ${fingerprint}`,
      );
    return found;
  }

  /** Returns all records by shard; `others` stand in for those that are missing or damaged. */
  async records(
    folder: string,
    others: CheckOptions["others"] = new Map(),
  ): Promise<Map<number, StoredRecord>> {
    const files = await filesIn(this.store, `${folder}/${COMMITS}`);
    const shards = [...this.plan.of.shards.keys()].filter((shard) =>
      files.has(basename(recordName(shard))),
    );
    await mapConcurrent(shards, RECORDS_AT_ONCE, async (shard) => {
      const stored = files.get(basename(recordName(shard))) as Stored;
      if (this.#known.get(shard)?.stored.modified === stored.modified) return;
      this.#known.delete(shard);
      const record = await this.record(shard, folder).catch((error) => {
        if (others.has(shard) && error instanceof InternalError) return null;
        throw error;
      });
      if (record) this.#known.set(shard, { record, stored });
    });
    const found = new Map(others);
    for (const shard of shards) {
      const known = this.#known.get(shard);
      if (known) found.set(shard, known);
    }
    return found;
  }

  /** Returns the shards without a record or with a damaged part, except those of skipped inputs. @throws AbortedError */
  async faults(folder: string, look: CheckOptions): Promise<Fault[]> {
    const { isWanted = () => true, others, onChecked } = look;
    const { shards } = this.plan.of;
    const skipped = await this.skippedInputs(folder);
    const records = await this.records(folder, others);
    const parts = await filesIn(this.store, folder);
    const wanted = [...shards.entries()].filter(
      ([shard, { input }]) => isWanted(shard) && !skipped.has(input),
    );
    const found = await mapConcurrent(
      wanted,
      PARTS_AT_ONCE,
      async ([shard]) => {
        const part = shardFileName(shard, shards.length);
        const known = records.get(shard);
        const fault = known
          ? await this.#fault(known, parts.get(part), folder, look)
          : "has no record";
        onChecked?.(shard);
        const { record = null } = known ?? {};
        return fault === null ? [] : [{ shard, part, found: fault, record }];
      },
    );
    return found.flat();
  }

  /** Whether a part is as its record says. */
  async isWhole(record: ShardRecord, folder: string): Promise<boolean> {
    const name = `${folder}/${recordName(record.shard)}`;
    const stored = await this.store.head(name);
    if (!stored) return false;
    return (await this.#fault({ record, stored }, null, folder)) === null;
  }

  /** Returns the record of a shard whose part differs from it; null: there is none. */
  async damaged(shard: number, folder: string): Promise<ShardRecord | null> {
    const record = await this.record(shard, folder);
    return record && !(await this.isWhole(record, folder)) ? record : null;
  }

  /** Removes a shard's record and part. */
  async remove(shard: number, folder: string): Promise<void> {
    const { length } = this.plan.of.shards;
    this.#known.delete(shard);
    await this.store.remove(`${folder}/${recordName(shard)}`);
    await this.store.remove(`${folder}/${shardFileName(shard, length)}`);
  }

  /** Returns the problem of a part; null: there is none. */
  async #fault(
    { record: { part, bytes, sha256 }, stored }: StoredRecord,
    listed: Stored | null | undefined,
    folder: string,
    { thorough, signal }: CheckOptions = {},
  ): Promise<string | null> {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    const name = `${folder}/${part}`;
    const found = listed ?? (await this.store.head(name));
    if (!found) return "is missing";
    if (!found.isFile) return "is not a regular file";
    if (found.bytes !== bytes)
      return `has ${found.bytes} bytes instead of ${bytes}`;
    const isOlder = found.modified <= stored.modified;
    if (isOlder && (!thorough || sha256 === null)) return null;
    // A copy may be younger than its record; without a SHA-256 nobody can tell whether it is the same.
    if (sha256 === null) return "was modified after it was recorded";
    return (await hashOf(this.store, name, signal)) === sha256
      ? null
      : "does not match its SHA-256 in the record";
  }

  /** Records an input as skipped. @throws MissingFolder */
  async skip(folder: string, input: number, error: string): Promise<void> {
    const { fingerprint } = this.plan;
    const record: SkippedRecord = { fingerprint, input, error };
    const name = `${folder}/${skippedRecordName(input)}`;
    await this.store.putIfAbsent(name, encodeJson(record));
  }

  /** Returns the errors of the inputs that were skipped after planning, by number. */
  async skippedInputs(folder: string): Promise<Map<number, string>> {
    const found = new Map<number, string>();
    const commits = `${folder}/${COMMITS}`;
    for (const name of (await this.store.list(commits, "input-")).keys()) {
      const bytes = await this.store.read(`${commits}/${name}`);
      const record = decodeJson(bytes) as SkippedRecord | null;
      if (record?.fingerprint === this.plan.fingerprint)
        found.set(record.input, record.error);
    }
    return found;
  }

  /** Returns all skipped inputs, also those of the plan, in the order of their names. */
  async allSkipped(folder: string): Promise<{ name: string; error: string }[]> {
    const { inputs, leftOut } = this.plan.of;
    const found = [...(await this.skippedInputs(folder))].map(
      ([input, error]) => ({
        name: (inputs[input] as PinnedInput).name,
        error,
      }),
    );
    const planned = leftOut.map(({ name, error }) => ({ name, error }));
    return [...planned, ...found].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Removes the shards of skipped inputs: a dataset has all shards of an input or none. */
  async removeSkippedShards(folder: string): Promise<void> {
    const skipped = await this.skippedInputs(folder);
    for (const [shard, { input }] of this.plan.of.shards.entries())
      if (skipped.has(input)) await this.remove(shard, folder);
  }
}

/** Codes of errors of one input that every call would get. */
const INVALID_INPUT = [
  "ERR_INPUT_FORMAT",
  "ERR_INPUT_UNSUPPORTED",
  "ERR_LOGITS_COLUMN",
  "ERR_BAD_ROW",
  "ERR_RAGGED_ROW",
];

export function isInvalidInput(error: unknown): error is SoftjacError {
  return INVALID_INPUT.includes((error as SoftjacError | null)?.code ?? "");
}

/** Returns the message of an error with the input's name for its path: the folder of the inputs may change. */
export function inputErrorMessage(
  { message }: SoftjacError,
  path: string,
  name: string,
): string {
  return message.replaceAll(path, name);
}
