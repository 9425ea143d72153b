import { rm } from "node:fs/promises";
import {
  ConfigurationError,
  IncompleteError,
  InputsSkippedError,
  InternalError,
  IoError,
} from "../errors.js";
import { openStore } from "../storage/open-store.js";
import {
  hashOf,
  MissingFolderError,
  replace,
  type Store,
} from "../storage/store.js";
import { VERSION } from "../version.js";
import { type DatasetPlan, sha256 } from "./dataset-plan.js";
import {
  COMMITS,
  MANIFEST,
  type RunFolders,
  recordName,
  SUCCESS,
} from "./names.js";
import {
  decodeJson,
  encodeJson,
  type Manifest,
  manifestOf,
  type ShardRecord,
  type Success,
} from "./records.js";
import {
  type CheckOptions,
  type Fault,
  RunFiles,
  type StoredRecord,
} from "./run-files.js";

export interface PublishOptions {
  /** Whether to replace another dataset. */
  overwrite: boolean;
  /** Whether to publish without skipped inputs. */
  allowMissing?: boolean | undefined;
}

/** The part of a run that computing its shards needs. */
export type ShardRun = Pick<
  DatasetRun,
  | ("plan" | "folders" | "shards" | "isDone" | "isPublished")
  | ("skippedByIndex" | "skipInput" | "discardDamaged" | "commit")
>;

/**
 * A run over a dataset, as it is in its store. Any number of processes may work on it at once and die at any point; what two
 * of them compute has the same bytes. Subclasses publish it: by renaming a folder, or in place.
 */
export abstract class DatasetRun {
  protected readonly files: RunFiles;

  constructor(
    protected readonly store: Store,
    readonly folders: RunFolders,
    readonly plan: DatasetPlan,
  ) {
    this.files = new RunFiles(store, plan);
  }

  get shards(): number {
    return this.plan.of.shards.length;
  }

  /** Whether the complete dataset of this run is published. */
  async isPublished(): Promise<boolean> {
    return this.belongsToRun(this.folders.out);
  }

  /** Rejects an output that this run may not replace. @throws OutputExistsError, UsageError */
  abstract rejectOtherDataset(options: { overwrite: boolean }): Promise<void>;

  /**
   * Checks that the place of the run is still its own, has no links, and can take a file.
   * @throws MissingFolder, OutputExistsError, ConfigurationError
   */
  abstract checkLocation(file?: string): Promise<void>;

  /** Removes the part of a shard that differs from its record, and the record, so that it is computed again. */
  abstract discardDamaged(shard: number): Promise<void>;

  /** Creates the folders of the run. */
  protected async createFolders(): Promise<void> {}

  /** @throws MissingFolder, OutputExistsError */
  protected abstract storePlan(plan: Uint8Array): Promise<void>;

  /** Completes `commit`. */
  protected async committed(_: ShardRecord, _isNew: boolean): Promise<void> {}

  /** Publishes the files of the run, which are complete, by putting _SUCCESS. @throws OutputExistsError */
  protected abstract put(
    success: Uint8Array,
    options: { overwrite: boolean },
  ): Promise<void>;

  /** Restores the dataset that a process set aside before it died. Whether there was one. */
  protected async restoreSetAside(): Promise<boolean> {
    return false;
  }

  /** Removes what is not needed once the dataset is published. Any process may do it. */
  async cleanUp(): Promise<void> {
    // Another process may have committed shards of skipped inputs since the manifest.
    await this.files.removeSkippedShards(this.folders.out);
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
   * Creates the run's folders and plan if they are missing.
   * @returns false if the dataset is published
   * @throws OutputExistsError
   */
  async begin({ overwrite }: { overwrite: boolean }): Promise<boolean> {
    if ((await this.isPublished()) || (await this.restoreSetAside())) {
      // Left by a process that died after publishing.
      await this.cleanUp();
      return false;
    }
    await this.rejectOtherDataset({ overwrite });
    await this.createFolders();
    // Another process may have published, and thereby renamed its folder, since the first look.
    if (await this.isPublished()) {
      await this.cleanUp();
      return false;
    }
    return this.#unlessPublished(() => this.storePlan(encodeJson(this.plan)));
  }

  /**
   * Does work in the folder of the run.
   * @returns false if the folder is gone (with `isAny`, after any error) because another process published the dataset
   * @throws IoError if the folder was removed
   */
  async #unlessPublished(
    work: () => Promise<void>,
    isAny = false,
  ): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      const isGone = error instanceof MissingFolderError;
      if ((isGone || isAny) && (await this.isPublished())) return false;
      if (!isGone) throw error;
      throw new IoError(
        this.folders.wip,
        "the directory of the run was removed while it was in use",
        { cause: error },
      );
    }
  }

  /**
   * Puts a part, which is on disk, and its record. If another process was first, its part stays.
   * @returns false if the dataset was published meanwhile
   * @throws InternalError if the other part has other bytes
   */
  commit(file: string, record: ShardRecord): Promise<boolean> {
    return this.#unlessPublished(async () => {
      const { wip } = this.folders;
      const part = `${wip}/${record.part}`;
      await this.checkLocation(file);
      const isNew = await this.store.putIfAbsent(part, file);
      if (!isNew) await this.#compareWith(part, file);
      const name = `${wip}/${recordName(record.shard)}`;
      if (!(await this.store.putIfAbsent(name, encodeJson(record))))
        await this.files.record(record.shard, wip);
      await this.committed(record, isNew);
    });
  }

  /** @throws InternalError if a part differs from the file that this process computed */
  async #compareWith(part: string, file: string): Promise<void> {
    try {
      const found = await hashOf(this.store, part);
      const made = await hashOf(await openStore(file), file);
      if (found !== made)
        throw new InternalError(
          `${part}: two processes computed different bytes (SHA-256 ${made} and ${found})`,
        );
    } finally {
      await rm(file, { force: true });
    }
  }

  /** Whether a shard is computed and its part is as its record says. */
  async isDone(shard: number): Promise<boolean> {
    const { wip } = this.folders;
    const record = await this.files.record(shard, wip);
    return record !== null && (await this.files.isWhole(record, wip));
  }

  /** Returns the shards that are not done. */
  async missing(): Promise<number[]> {
    const { missing, damaged } = await this.inspect();
    return [...missing, ...damaged].sort((a, b) => a - b);
  }

  /** Returns the shards without a record, by a list of names: fast, but without a check of the parts. */
  unrecorded(): Promise<number[]> {
    return this.#inFolder(async (folder) => {
      const names = await this.store.list(`${folder}/${COMMITS}`);
      const skipped = await this.files.skippedInputs(folder);
      const isWanted = (shard: number, input: number) =>
        !names.has(recordName(shard).slice(COMMITS.length + 1)) &&
        !skipped.has(input);
      return [...this.plan.of.shards.entries()]
        .filter(([shard, { input }]) => isWanted(shard, input))
        .map(([shard]) => shard);
    });
  }

  /** Returns the shards without a record, and those whose part differs from it; none of skipped inputs. */
  async inspect(): Promise<{
    missing: number[];
    damaged: number[];
    faults: Fault[];
  }> {
    const faults = await this.faults();
    const shardsOf = (hasRecord: boolean) =>
      faults.flatMap(({ shard, record }) =>
        shard !== null && (record !== null) === hasRecord ? [shard] : [],
      );
    return { missing: shardsOf(false), damaged: shardsOf(true), faults };
  }

  /** Returns the parts that differ from their records; of a published dataset, its manifest too. @throws AbortedError */
  faults(look: Omit<CheckOptions, "others"> = {}): Promise<Fault[]> {
    return this.#inFolder(async (folder, isPublished) => {
      if (!isPublished) return this.files.faults(folder, look);
      const { fault, records } = await this.#publishedManifest();
      const parts = { ...look, others: records };
      return [...(await this.files.faults(folder, parts)), ...fault];
    });
  }

  /** Reads the manifest of the published dataset, which has all records once more. */
  async #publishedManifest(): Promise<{
    fault: Fault[];
    records: Map<number, StoredRecord>;
  }> {
    const name = `${this.folders.out}/${MANIFEST}`;
    const bytes = await this.store.read(name);
    const stored = await this.store.head(name);
    const faulty = (found: string) => ({
      fault: [{ shard: null, part: MANIFEST, found, record: null }],
      records: new Map(),
    });
    if (!bytes || !stored) return faulty("is missing");
    if (sha256(bytes) !== (await this.success())?.manifest)
      return faulty(`does not match its SHA-256 in ${SUCCESS}`);
    const { fingerprint } = this.plan;
    const { parts } = decodeJson(bytes) as Manifest;
    const records = parts.map((part): [number, StoredRecord] => [
      part.shard,
      { record: { ...part, fingerprint }, stored },
    ]);
    return { fault: [], records: new Map(records) };
  }

  /** Returns the content of _SUCCESS in a folder; null: there is none. */
  protected async success(
    folder = this.folders.out,
  ): Promise<Partial<Success> | null> {
    const bytes = await this.store.read(`${folder}/${SUCCESS}`);
    return decodeJson(bytes) as Partial<Success> | null;
  }

  /** Whether a folder is the complete dataset of this run. */
  protected async belongsToRun(folder: string): Promise<boolean> {
    const found = await this.success(folder);
    return found?.fingerprint === this.plan.fingerprint;
  }

  /** Replaces a part, and its record, of the published dataset. @throws IoError if the dataset was replaced */
  async replaceShard(file: string, record: ShardRecord): Promise<void> {
    const { out } = this.folders;
    if (!(await this.isPublished()))
      throw new IoError(
        out,
        "another run replaced or removed the dataset during the repair",
      );
    await replace(this.store, `${out}/${record.part}`, file);
    // The record must be younger than the part.
    const name = `${out}/${recordName(record.shard)}`;
    await replace(this.store, name, encodeJson(record));
  }

  /** Replaces the manifest of the published dataset by one made from its records. @throws InternalError */
  async replaceManifest(): Promise<void> {
    const { out } = this.folders;
    const manifest = encodeJson(await this.#manifest(out));
    const expected = (await this.success())?.manifest;
    if (sha256(manifest) !== expected)
      throw new InternalError(
        `${out}/${MANIFEST}: expected SHA-256 ${expected} as in ${SUCCESS}, found ${sha256(manifest)} when rebuilding it from the records; nothing was replaced`,
      );
    await replace(this.store, `${out}/${MANIFEST}`, manifest);
  }

  /** Returns the inputs that are skipped, with their errors. */
  skippedInputs(): Promise<{ name: string; error: string }[]> {
    return this.#inFolder((folder) => this.files.allSkipped(folder));
  }

  /** Returns the errors of inputs that were skipped after planning, by number. */
  skippedByIndex(): Promise<Map<number, string>> {
    return this.files.skippedInputs(this.folders.wip);
  }

  /** Skips an input. */
  async skipInput(input: number, error: string): Promise<void> {
    await this.#unlessPublished(() =>
      this.files.skip(this.folders.wip, input, error),
    );
  }

  /** Works on the folder with the run's files; again if another process publishes the run, and so renames it, meanwhile. */
  async #inFolder<T>(
    work: (folder: string, isPublished: boolean) => Promise<T>,
  ): Promise<T> {
    const { out, wip } = this.folders;
    if (!(await this.isPublished()))
      try {
        const found = await work(wip, false);
        if (!(await this.isPublished())) return found;
      } catch (error) {
        if (!(await this.isPublished())) throw error;
      }
    return work(out, true);
  }

  /**
   * Publishes the dataset if all its shards are done, or those of its valid inputs with `allowMissing`. Any process may do it,
   * any number of times.
   * @throws OutputExistsError if another dataset was published first; InputsSkippedError; IncompleteError;
   * ConfigurationError
   */
  async publish({
    overwrite,
    allowMissing = false,
  }: PublishOptions): Promise<void> {
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
      this.put(encodeJson(success), { overwrite }),
    );
    if (!(await this.isPublished()))
      throw new IoError(
        this.folders.out,
        "the dataset is not there after it was published",
      );
    await this.cleanUp();
  }

  /** Checks that the run is complete, and puts its manifest, which has the same bytes in every process. */
  async #putManifest(allowMissing: boolean): Promise<Uint8Array> {
    const { out, wip } = this.folders;
    const { inputs, leftOut } = this.plan.of;
    const skipped = await this.files.allSkipped(wip);
    if (skipped.length > 0 && !allowMissing)
      throw new InputsSkippedError(
        out,
        skipped.map(({ name, error }) => ({ input: name, error })),
        inputs.length + leftOut.length,
      );
    await this.files.removeSkippedShards(wip);
    const missing = await this.missing();
    if (missing.length > 0)
      throw new IncompleteError(out, missing, this.shards);
    const bytes = encodeJson(await this.#manifest(wip));
    await this.putSame(`${wip}/${MANIFEST}`, bytes);
    return bytes;
  }

  /** Puts a file that every process makes the same. @throws InternalError if another process put other bytes */
  protected async putSame(name: string, bytes: Uint8Array): Promise<void> {
    if (await this.store.putIfAbsent(name, bytes)) return;
    const found = await this.store.read(name);
    if (found && sha256(found) !== sha256(bytes))
      throw new InternalError(
        `${name}: two processes wrote different bytes (SHA-256 ${sha256(bytes)} and ${sha256(found)})`,
      );
  }

  async #manifest(folder: string): Promise<Manifest> {
    const skipped = await this.files.skippedInputs(folder);
    const records = await this.files.records(folder);
    const parts: ShardRecord[] = [];
    for (const [shard, { input }] of this.plan.of.shards.entries()) {
      if (skipped.has(input)) continue;
      const { record } = records.get(shard) ?? {};
      if (!record) throw new InternalError(`shard ${shard} has no record`);
      parts.push(record);
    }
    return manifestOf(this.plan, parts, await this.files.allSkipped(folder));
  }
}
