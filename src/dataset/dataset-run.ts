import { rm } from "node:fs/promises";
import { basename } from "node:path";
import {
  ConfigurationError,
  IncompleteError,
  InputsSkippedError,
  InternalError,
  IoError,
} from "../errors.js";
import { MODEL_COPIES, type ModelFile } from "../model/run-model.js";
import { openStore } from "../storage/open-store.js";
import {
  hashOf,
  MissingFolderError,
  replace,
  type Store,
} from "../storage/store.js";
import { VERSION } from "../version.js";
import {
  COMMITS,
  decodeJson,
  encodeJson,
  MANIFEST,
  type Manifest,
  manifestOf,
  type RunFolders,
  recordName,
  type ShardRecord,
  SUCCESS,
  type Success,
} from "./dataset-files.js";
import { type DatasetPlan, type Shard, sha256 } from "./dataset-plan.js";
import {
  type CheckOptions,
  type Fault,
  RunFiles,
  type StoredRecord,
} from "./run-files.js";

export interface PublishOptions {
  /** Whether to replace another dataset. */
  overwrite?: boolean | undefined;
  /** Whether to publish without skipped inputs. */
  allowMissing?: boolean | undefined;
}

/** Members of a run that computing its shards needs. */
export type ShardRun = Pick<
  DatasetRun,
  | ("plan" | "folders" | "shards" | "isPublished")
  | ("mustCompute" | "skipInput" | "commit")
>;

/**
 * Run over a dataset in its store. Any number of processes may work on it concurrently and die at any point, because all
 * compute the same bytes. Subclasses publish it by renaming a directory, or in place.
 */
export abstract class DatasetRun<S extends Store = Store> {
  /** Files of the unpublished run, and those of the published dataset. */
  protected readonly files: RunFiles;
  readonly #published: RunFiles;
  /** Inputs whose shards this process does not compute, with their errors. */
  #skipped: Promise<Map<number, string>> | null = null;

  constructor(
    protected readonly store: S,
    readonly folders: RunFolders,
    readonly plan: DatasetPlan,
  ) {
    this.files = new RunFiles(store, plan, folders.wip);
    this.#published = new RunFiles(store, plan, folders.out);
  }

  get shards(): number {
    return this.plan.of.shards.length;
  }

  async isPublished(): Promise<boolean> {
    return this.belongsToRun(this.folders.out);
  }

  /** Rejects an output that this run may not replace. @throws OutputExistsError, UsageError */
  abstract rejectOtherDataset(options: { overwrite: boolean }): Promise<void>;

  /** Checks that the output still belongs to this run and contains no links, and that the store can take `file`. */
  abstract checkLocation(file?: string): Promise<void>;

  /** Prepares for computing a shard again whose file differs from its record. */
  protected abstract discardDamaged(record: ShardRecord): Promise<void>;

  protected async createFolders(): Promise<void> {}

  protected abstract storePlan(plan: Uint8Array): Promise<void>;

  /** Runs at the end of `commit`. */
  protected async afterCommit(_: ShardRecord, _isNew: boolean): Promise<void> {}

  /** Publishes the complete files of the run by storing _SUCCESS. @throws OutputExistsError */
  protected abstract publishFiles(
    success: Uint8Array,
    options: { overwrite: boolean },
  ): Promise<void>;

  /** Restores the dataset of this run that a process renamed before it died. Returns whether there was one. */
  protected async restoreReplaced(): Promise<boolean> {
    return false;
  }

  /** Removes the files that are not part of the published dataset. Any process may call it. */
  async cleanUp(): Promise<void> {
    // Another process may have committed shards of skipped inputs after the manifest was written.
    await this.#published.removeSkippedShards();
  }

  /** @throws ConfigurationError if another version planned the run, since its results may have other bytes */
  rejectOtherVersion(): void {
    const { fingerprint, of } = this.plan;
    if (of.softjac !== VERSION)
      throw new ConfigurationError(
        `${this.folders.out}: run ${fingerprint} was planned by softjac ${of.softjac}, but this is softjac ${VERSION}; use softjac ${of.softjac} for all its steps, or plan it again`,
      );
  }

  /**
   * Creates the run's directories and plan, and the copies of the files of its model, if they are missing.
   * @returns false if the dataset is published
   */
  async begin(
    { overwrite }: { overwrite: boolean },
    model: ReadonlyMap<ModelFile, Uint8Array> = new Map(),
  ): Promise<boolean> {
    let isOver = (await this.isPublished()) || (await this.restoreReplaced());
    if (!isOver) {
      await this.rejectOtherDataset({ overwrite });
      await this.createFolders();
      // Another process may have published the run since the first check, which renames its directory.
      isOver = await this.isPublished();
    }
    if (!isOver)
      return this.#unlessPublished(async () => {
        await this.storePlan(encodeJson(this.plan));
        for (const [option, content] of model) {
          const name = `${this.folders.wip}/${MODEL_COPIES[option]}`;
          await this.store.putIfAbsent(name, content);
        }
      });
    // A process may have died between publishing and cleaning up.
    await this.cleanUp();
    return false;
  }

  /**
   * Runs `work` in the directory of the run.
   * @returns false if `work` fails because another process published the dataset, which renames the directory
   * @param anyError whether every error counts as such a failure; default: MissingFolderError only
   */
  async #unlessPublished(
    work: () => Promise<void>,
    anyError = false,
  ): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const isGone = error instanceof MissingFolderError;
      if ((isGone || anyError) && (await this.isPublished())) return false;
      if (!isGone) throw error;
      const text = "the directory of the run was removed while it was in use";
      throw new IoError(this.folders.wip, text, { cause: error });
    }
  }

  /**
   * Stores the file of a shard, which must be durable, and then its record. If another process was first, its file is kept.
   * @returns false if the dataset was published meanwhile
   */
  commit(file: string, record: ShardRecord): Promise<boolean> {
    return this.#unlessPublished(async () => {
      const { wip } = this.folders;
      const stored = `${wip}/${record.part}`;
      await this.checkLocation(file);
      const isNew = await this.store.putIfAbsent(stored, file);
      if (!isNew) await this.#assertSame(stored, file);
      const name = `${wip}/${recordName(record.shard)}`;
      if (!(await this.store.putIfAbsent(name, encodeJson(record))))
        await this.files.record(record.shard);
      await this.afterCommit(record, isNew);
    });
  }

  /** Compares a stored file with the file that this process computed, and removes the latter. @throws InternalError */
  async #assertSame(stored: string, file: string): Promise<void> {
    try {
      const theirs = await hashOf(this.store, stored);
      const ours = await hashOf(await openStore(file), file);
      if (theirs !== ours)
        throw new InternalError(
          `${stored}: two processes computed different bytes (SHA-256 ${ours} and ${theirs})`,
        );
    } finally {
      await rm(file, { force: true });
    }
  }

  /** Returns false if a shard is done or its input skipped. Otherwise discards a damaged file of it. */
  async mustCompute(shard: number): Promise<boolean> {
    this.#skipped ??= this.files.skippedInputs();
    const { input } = this.plan.of.shards[shard] as Shard;
    if ((await this.#skipped).has(input)) return false;
    const record = await this.files.record(shard);
    if (!record) return true;
    const isDone = await this.files.isWhole(record);
    if (!isDone) await this.discardDamaged(record);
    return !isDone;
  }

  /** Returns the content of a file beside the plan, or null if there is none. */
  readStored(name: string) {
    return this.#inFolder(async ({ folder }) => {
      const path = `${folder}/${name}`;
      return { path, content: await this.store.read(path) };
    });
  }

  /** Returns the copies of the files of the model that are missing or differ from the plan. */
  async modelFaults(): Promise<Fault[]> {
    const planned = Object.entries(this.plan.of.model ?? {});
    const faults = planned.map(async ([option, expected]): Promise<Fault[]> => {
      const file = MODEL_COPIES[option as ModelFile];
      const { content } = await this.readStored(file);
      if (content && sha256(content) === expected) return [];
      const problem = content
        ? "does not match its SHA-256 in the plan"
        : "is missing";
      return [{ shard: null, file, problem, record: null }];
    });
    return (await Promise.all(faults)).flat();
  }

  /** Replaces a copy of a file of the model in the published dataset. */
  async replaceModelFile(file: string, content: Uint8Array): Promise<void> {
    await replace(this.store, `${this.folders.out}/${file}`, content);
  }

  /** Returns the number of shards of inputs that are not skipped. */
  async included(): Promise<number> {
    return (await this.#inFolder((files) => files.includedShards())).length;
  }

  /** Returns the shards that are not done, except those of skipped inputs. */
  async missing(): Promise<number[]> {
    return (await this.faults()).flatMap(({ shard }) => shard ?? []);
  }

  /** Returns the shards without a record. Fast, because it lists names only and checks no file. */
  unrecorded(): Promise<number[]> {
    return this.#inFolder(async (files) => {
      const names = await this.store.list(`${files.folder}/${COMMITS}`);
      const shards = await files.includedShards();
      return shards.filter((shard) => !names.has(basename(recordName(shard))));
    });
  }

  /**
   * Returns the shards without a record and the files that do not match their records, including a published manifest, except
   * those of skipped inputs.
   * @throws AbortedError
   */
  faults(options: Omit<CheckOptions, "fallbacks"> = {}): Promise<Fault[]> {
    return this.#inFolder(async (files) => {
      if (files === this.files) return files.faults(options);
      const { fault, records } = await this.#publishedManifest();
      const check = { ...options, fallbacks: records };
      return [...(await files.faults(check)), ...fault];
    });
  }

  /** Checks the manifest of the published dataset and returns its copies of the records. */
  async #publishedManifest(): Promise<{
    fault: Fault[];
    records: Map<number, StoredRecord>;
  }> {
    const name = `${this.folders.out}/${MANIFEST}`;
    const bytes = await this.store.read(name);
    const stored = await this.store.head(name);
    const records = new Map<number, StoredRecord>();
    const faulty = (problem: string) => ({
      fault: [{ shard: null, file: MANIFEST, problem, record: null }],
      records,
    });
    if (!bytes || !stored) return faulty("is missing");
    if (sha256(bytes) !== (await this.success())?.manifest)
      return faulty(`does not match its SHA-256 in ${SUCCESS}`);
    const { fingerprint } = this.plan;
    for (const part of (decodeJson(bytes) as Manifest).parts)
      records.set(part.shard, { record: { ...part, fingerprint }, stored });
    return { fault: [], records };
  }

  /** Returns the content of _SUCCESS in a directory, or null if there is none. */
  protected async success(
    folder = this.folders.out,
  ): Promise<Partial<Success> | null> {
    const bytes = await this.store.read(`${folder}/${SUCCESS}`);
    return decodeJson(bytes) as Partial<Success> | null;
  }

  /** Returns whether a directory is the published dataset of this run. */
  protected async belongsToRun(folder: string): Promise<boolean> {
    const success = await this.success(folder);
    return success?.fingerprint === this.plan.fingerprint;
  }

  /** Replaces the file and record of a shard in the published dataset. @throws IoError if the dataset was replaced */
  async replaceShard(file: string, record: ShardRecord): Promise<void> {
    const { out } = this.folders;
    const gone =
      "another run replaced or removed the dataset during the repair";
    if (!(await this.isPublished())) throw new IoError(out, gone);
    await replace(this.store, `${out}/${record.part}`, file);
    // The record must be newer than the file.
    const name = `${out}/${recordName(record.shard)}`;
    await replace(this.store, name, encodeJson(record));
  }

  /** Rebuilds the manifest of the published dataset from its records. @throws InternalError */
  async replaceManifest(): Promise<void> {
    const { out } = this.folders;
    const manifest = encodeJson(await this.#manifest(this.#published));
    const expected = (await this.success())?.manifest;
    if (sha256(manifest) !== expected)
      throw new InternalError(
        `${out}/${MANIFEST}: expected SHA-256 ${expected} as in ${SUCCESS}, found ${sha256(manifest)} when rebuilding it from the records; nothing was replaced`,
      );
    await replace(this.store, `${out}/${MANIFEST}`, manifest);
  }

  skippedInputs(): Promise<{ name: string; error: string }[]> {
    return this.#inFolder((files) => files.allSkipped());
  }

  /** Records that an input is skipped, unless another process has published the run. */
  async skipInput(input: number, error: string): Promise<void> {
    await this.#unlessPublished(() => this.files.skip(input, error));
    (await this.#skipped)?.set(input, error);
  }

  /** Runs `work` on the run's directory, and again if another process publishes the run, which renames the directory. */
  async #inFolder<T>(work: (files: RunFiles) => Promise<T>): Promise<T> {
    if (!(await this.isPublished()))
      try {
        const result = await work(this.files);
        if (!(await this.isPublished())) return result;
      } catch (error) {
        if (!(await this.isPublished())) throw error;
      }
    return work(this.#published);
  }

  /**
   * Publishes the dataset if all its shards are done; with `allowMissing`, shards of skipped inputs do not count. Any process
   * may call it any number of times.
   */
  async publish(options: PublishOptions): Promise<void> {
    const { overwrite = false, allowMissing = false } = options;
    if (await this.isPublished()) return;
    this.rejectOtherVersion();
    const { fingerprint } = this.plan;
    let manifest: Uint8Array = new Uint8Array();
    const isReady = await this.#unlessPublished(async () => {
      manifest = await this.#putManifest(allowMissing);
    }, true);
    if (!isReady) return;
    const success: Success = { fingerprint, manifest: sha256(manifest) };
    await this.#unlessPublished(() =>
      this.publishFiles(encodeJson(success), { overwrite }),
    );
    const gone = "the dataset is not there after it was published";
    if (!(await this.isPublished())) throw new IoError(this.folders.out, gone);
    await this.cleanUp();
  }

  /** Checks that the run is complete and stores its manifest, which has the same bytes in every process. */
  async #putManifest(allowMissing: boolean): Promise<Uint8Array> {
    const { out, wip } = this.folders;
    const { inputs, leftOut } = this.plan.of;
    const missing = await this.missing();
    if (missing.length > 0)
      throw new IncompleteError(out, missing, this.shards);
    const skipped = await this.files.allSkipped();
    const total = inputs.length + leftOut.length;
    // A dataset without any results would look like a success.
    const isNone = skipped.length === total;
    if (skipped.length > 0 && (isNone || !allowMissing))
      throw new InputsSkippedError(out, skipped, total);
    await this.files.removeSkippedShards();
    const bytes = encodeJson(await this.#manifest(this.files));
    await this.putIdentical(`${wip}/${MANIFEST}`, bytes);
    return bytes;
  }

  /** Stores a file that has the same bytes in every process. @throws InternalError if another process stored other bytes */
  protected async putIdentical(name: string, bytes: Uint8Array): Promise<void> {
    if (await this.store.putIfAbsent(name, bytes)) return;
    const stored = await this.store.read(name);
    if (stored && sha256(stored) !== sha256(bytes))
      throw new InternalError(
        `${name}: two processes wrote different bytes (SHA-256 ${sha256(bytes)} and ${sha256(stored)})`,
      );
  }

  async #manifest(files: RunFiles): Promise<Manifest> {
    const shards = await files.includedShards();
    const records = await files.records();
    const included = shards.map((shard) => {
      const { record } = records.get(shard) ?? {};
      if (!record) throw new InternalError(`shard ${shard} has no record`);
      return record;
    });
    return manifestOf(this.plan, included, await files.allSkipped());
  }
}
