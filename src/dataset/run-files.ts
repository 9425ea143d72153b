import { basename } from "node:path";
import { AbortedError, InternalError, type SoftjacError } from "../errors.js";
import { mapConcurrent } from "../io/map-concurrent.js";
import { filesIn, hashOf, type Store, type Stored } from "../storage/store.js";
import {
  COMMITS,
  decodeJson,
  encodeJson,
  recordName,
  type ShardRecord,
  shardFileName,
  skippedRecordName,
} from "./dataset-files.js";
import type { DatasetPlan, PinnedInput } from "./dataset-plan.js";

/** Records read concurrently; each may be a request. */
const RECORDS_AT_ONCE = 16;

/** Files hashed concurrently, so that reading and hashing overlap. */
const FILES_AT_ONCE = 4;

/** Record, and the state of the file that it was read from. */
export interface StoredRecord {
  record: ShardRecord;
  stored: Stored;
}

/** Missing or damaged file of a run. */
export interface Fault {
  /** Shard of the file; null for the manifest and copies of the files of a model. */
  shard: number | null;
  file: string;
  /** Predicate of a sentence about the file, such as "is missing". */
  problem: string;
  /** Record of the shard; null if it is missing too. */
  record: ShardRecord | null;
}

/** Files to check, and how. */
export interface CheckOptions {
  /** Filter of shards; default: all. */
  isWanted?: ((shard: number) => boolean) | undefined;
  /** Whether to verify every SHA-256; default: only those of files that are newer than their records. */
  thorough?: boolean | undefined;
  /** Records of shards whose own record is missing or damaged. */
  fallbacks?: ReadonlyMap<number, StoredRecord> | undefined;
  signal?: AbortSignal | undefined;
  onChecked?: ((shard: number) => void) | undefined;
}

/** Record of an input that turned out to be invalid while its shards were computed. */
type SkippedRecord = { fingerprint: string; input: number; error: string };

/** Files of a run in one directory of its store: shards, their records, and the records of skipped inputs. */
export class RunFiles {
  readonly #cache = new Map<number, StoredRecord>();

  constructor(
    private readonly store: Store,
    private readonly plan: DatasetPlan,
    readonly folder: string,
  ) {}

  /** Returns the record of a shard, or null if it has none. @throws InternalError */
  async record(shard: number): Promise<ShardRecord | null> {
    const name = `${this.folder}/${recordName(shard)}`;
    const bytes = await this.store.read(name);
    if (!bytes) return null;
    const record = decodeJson(bytes) as ShardRecord | null;
    const { fingerprint } = this.plan;
    if (record?.fingerprint !== fingerprint || record.shard !== shard)
      throw new InternalError(
        `${name} is not the record of shard ${shard} of run ${fingerprint}`,
      );
    return record;
  }

  /** Returns all records by shard; `fallbacks` replace those that are missing or damaged. */
  async records(
    fallbacks: CheckOptions["fallbacks"] = new Map(),
  ): Promise<Map<number, StoredRecord>> {
    const files = await filesIn(this.store, `${this.folder}/${COMMITS}`);
    const records = new Map(fallbacks);
    const all = [...this.plan.of.shards.keys()];
    await mapConcurrent(all, RECORDS_AT_ONCE, async (shard) => {
      const stored = files.get(basename(recordName(shard)));
      if (!stored) return;
      if (this.#cache.get(shard)?.stored.modified !== stored.modified) {
        this.#cache.delete(shard);
        const record = await this.record(shard).catch((error) => {
          if (fallbacks.has(shard) && error instanceof InternalError) return;
          throw error;
        });
        if (!record) return;
        this.#cache.set(shard, { record, stored });
      }
      records.set(shard, this.#cache.get(shard) as StoredRecord);
    });
    return records;
  }

  /** Returns the shards without a record or with a damaged file, except those of skipped inputs. @throws AbortedError */
  async faults(options: CheckOptions): Promise<Fault[]> {
    const { isWanted = () => true, fallbacks, onChecked } = options;
    const { length } = this.plan.of.shards;
    const shards = await this.includedShards();
    const records = await this.records(fallbacks);
    const files = await filesIn(this.store, this.folder);
    const wanted = shards.filter(isWanted);
    const faults = await mapConcurrent(wanted, FILES_AT_ONCE, async (shard) => {
      const file = shardFileName(shard, length);
      const stored = records.get(shard);
      const problem = stored
        ? await this.#problem(stored, files.get(file), options)
        : "has no record";
      onChecked?.(shard);
      const { record = null } = stored ?? {};
      return problem === null ? [] : [{ shard, file, problem, record }];
    });
    return faults.flat();
  }

  /** Returns whether the file of a shard matches its record. */
  async isWhole(record: ShardRecord): Promise<boolean> {
    const name = `${this.folder}/${recordName(record.shard)}`;
    const stored = await this.store.head(name);
    return (
      stored !== null && (await this.#problem({ record, stored })) === null
    );
  }

  /** Removes the record and the file of a shard. */
  async remove(shard: number): Promise<void> {
    const { length } = this.plan.of.shards;
    this.#cache.delete(shard);
    await this.store.remove(`${this.folder}/${recordName(shard)}`);
    await this.store.remove(`${this.folder}/${shardFileName(shard, length)}`);
  }

  /**
   * Returns the problem of a shard's file, or null.
   * @param listed state of the file from a listing, if there is one
   */
  async #problem(
    { record: { part, bytes, sha256 }, stored }: StoredRecord,
    listed?: Stored,
    { thorough, signal }: CheckOptions = {},
  ): Promise<string | null> {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    const name = `${this.folder}/${part}`;
    const state = listed ?? (await this.store.head(name));
    if (!state) return "is missing";
    if (!state.isFile) return "is not a regular file";
    if (state.bytes !== bytes)
      return `has ${state.bytes} bytes instead of ${bytes}`;
    const isOlder = state.modified <= stored.modified;
    if (isOlder && (!thorough || sha256 === null)) return null;
    // A copied dataset may have files that are newer than their records; only the SHA-256 can prove that they are equal.
    if (sha256 === null) return "was modified after it was recorded";
    return (await hashOf(this.store, name, signal)) === sha256
      ? null
      : "does not match its SHA-256 in the record";
  }

  /** Records an input as skipped. @throws MissingFolderError */
  async skip(input: number, error: string): Promise<void> {
    const name = `${this.folder}/${skippedRecordName(input)}`;
    const { fingerprint } = this.plan;
    const record = encodeJson({ fingerprint, input, error });
    await this.store.putIfAbsent(name, record);
  }

  /** Returns the errors of inputs that were skipped after planning, by input index. */
  async skippedInputs(): Promise<Map<number, string>> {
    const errors = new Map<number, string>();
    const commits = `${this.folder}/${COMMITS}`;
    for (const name of (await this.store.list(commits, "input-")).keys()) {
      const bytes = await this.store.read(`${commits}/${name}`);
      const record = decodeJson(bytes) as SkippedRecord | null;
      if (record?.fingerprint === this.plan.fingerprint)
        errors.set(record.input, record.error);
    }
    return errors;
  }

  /** Returns the shards of inputs that were not skipped. */
  async includedShards(): Promise<number[]> {
    const skipped = await this.skippedInputs();
    const shards = [...this.plan.of.shards.entries()];
    return shards.flatMap(([shard, { input }]) =>
      skipped.has(input) ? [] : [shard],
    );
  }

  /** Returns all skipped inputs, including those skipped by the plan, sorted by name. */
  async allSkipped(): Promise<{ name: string; error: string }[]> {
    const { inputs, leftOut } = this.plan.of;
    const skipped = leftOut.map(({ name, error }) => ({ name, error }));
    for (const [input, error] of await this.skippedInputs())
      skipped.push({ name: (inputs[input] as PinnedInput).name, error });
    return skipped.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Removes the shards of skipped inputs, so that a dataset contains all shards of an input or none. */
  async removeSkippedShards(): Promise<void> {
    const skipped = await this.skippedInputs();
    for (const [shard, { input }] of this.plan.of.shards.entries())
      if (skipped.has(input)) await this.remove(shard);
  }
}

/** Codes of errors that an invalid input causes in every call. */
const INVALID_INPUT = [
  ...["ERR_INPUT_FORMAT", "ERR_INPUT_UNSUPPORTED", "ERR_LOGITS_COLUMN"],
  ...["ERR_BAD_ROW", "ERR_RAGGED_ROW"],
];

export function isInvalidInput(error: unknown): error is SoftjacError {
  return INVALID_INPUT.includes((error as SoftjacError | null)?.code ?? "");
}

/** Returns an error message with the input's name instead of its path, because the inputs may be moved. */
export const inputErrorMessage = (
  { message }: SoftjacError,
  path: string,
  name: string,
) => message.replaceAll(path, name);
