import { rm } from "node:fs/promises";
import {
  ConfigurationError,
  IncompleteError,
  InputsSkippedError,
  InternalError,
  IoError,
} from "../errors.js";
import { openStore } from "../store/open-store.js";
import {
  hasFolders,
  hashOf,
  MissingFolder,
  type ObjectStore,
  replace,
  type Store,
} from "../store/store.js";
import { VERSION } from "../version.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { sha256 } from "./fingerprint.js";
import { InPlacePublication } from "./in-place-publication.js";
import { LeftOutInputs } from "./left-out.js";
import { type Manifest, manifestOf } from "./manifest.js";
import {
  COMMITS,
  commitName,
  MANIFEST,
  type RunFolders,
  SUCCESS,
} from "./names.js";
import type { Publication } from "./publication.js";
import {
  decodeJson,
  encodeJson,
  type PartRecord,
  type Success,
} from "./records.js";
import { RenamedPublication } from "./renamed-publication.js";
import {
  type Fault,
  type Look,
  StoredParts,
  type StoredRecord,
} from "./stored-parts.js";

export interface PublishOptions {
  /** Another dataset is replaced. */
  overwrite: boolean;
  /** It is published without inputs that were left out. */
  allowMissing?: boolean | undefined;
}

/** The part of a run that making its shards takes. */
export type ShardRun = Pick<
  DatasetRun,
  | "plan"
  | "folders"
  | "shards"
  | "isDone"
  | "isPublished"
  | "leftOutByNumber"
  | "leaveOut"
  | "clearDamaged"
  | "commit"
>;

/**
 * One run over a dataset, as it stands in a store: what has been done of it, by whatever process. Any number of processes
 * may work on it at once and die at any point; what they do twice has the same bytes.
 */
export class DatasetRun {
  readonly #parts: StoredParts;
  readonly #leftOut: LeftOutInputs;
  readonly #publication: Publication;
  /** Shards whose record stands without its part. */
  readonly #lost = new Set<number>();

  constructor(
    private readonly store: Store,
    readonly folders: RunFolders,
    readonly plan: DatasetPlan,
  ) {
    this.#parts = new StoredParts(store, plan);
    this.#leftOut = new LeftOutInputs(store, plan);
    this.#publication = hasFolders(store)
      ? new RenamedPublication(store, folders, plan.fingerprint)
      : new InPlacePublication(store as ObjectStore, folders, plan.fingerprint);
  }

  get shards(): number {
    return this.plan.of.shards.length;
  }

  /** Whether the dataset is there, complete, and of this run. */
  isPublished(): Promise<boolean> {
    return this.#publication.isPublished();
  }

  /** @throws OutputExistsError where a link stands for a folder of the run; MissingFolder */
  checkPlace(): Promise<void> {
    return this.#publication.checkPlace();
  }

  /** @throws ConfigurationError where another version has planned the run, whose results may have other bytes */
  refuseOtherVersion(): void {
    const { fingerprint, of } = this.plan;
    if (of.softjac !== VERSION)
      throw new ConfigurationError(
        `${this.folders.out}: run ${fingerprint} was planned by softjac ${of.softjac}, but this is softjac ${VERSION}; use softjac ${of.softjac} for all its steps, or plan it again`,
      );
  }

  /** @throws OutputExistsError where the name is taken by something that stays */
  refuseOther({ overwrite }: { overwrite: boolean }): Promise<void> {
    return this.#publication.refuseOther({ overwrite });
  }

  /**
   * Makes the run's place and plan, where they are not there.
   * @returns false where the dataset is complete already
   * @throws OutputExistsError where the name is taken by something else
   */
  async begin({ overwrite }: { overwrite: boolean }): Promise<boolean> {
    if ((await this.isPublished()) || (await this.#publication.takeBack())) {
      // Of a process that died between publishing and clearing up.
      await this.clearUp();
      return false;
    }
    await this.refuseOther({ overwrite });
    await this.#publication.makePlace();
    // Another process may have published, and with that renamed its folder away, since we have looked.
    if (await this.isPublished()) {
      await this.clearUp();
      return false;
    }
    try {
      await this.#publication.putPlan(encodeJson(this.plan));
    } catch (error) {
      // The same, a moment later.
      if (!(error instanceof MissingFolder)) throw error;
      if (await this.isPublished()) return false;
      throw asGone(this.folders.wip, error);
    }
    return true;
  }

  /** What is known of a shard that is done; null: it is not. @throws InternalError */
  record(shard: number, folder = this.folders.wip): Promise<PartRecord | null> {
    return this.#parts.record(shard, folder);
  }

  /**
   * Gives a part its name, durable before, and records it. Where another process was first, its part stays.
   * @returns false where the dataset has been published meanwhile
   * @throws InternalError where the other part has other bytes
   */
  async commit(file: string, record: PartRecord): Promise<boolean> {
    const { wip } = this.folders;
    const part = `${wip}/${record.part}`;
    try {
      await this.#publication.checkPlace(file);
      const isNew = await this.store.putIfAbsent(part, file);
      if (!isNew) await this.#compareWith(part, file);
      const name = `${wip}/${commitName(record.shard)}`;
      const bytes = encodeJson(record);
      if (!(await this.store.putIfAbsent(name, bytes))) {
        await this.record(record.shard);
        // A part that is younger than its record counts as changed.
        if (isNew && this.#lost.has(record.shard))
          await replace(this.store, name, bytes);
      }
      if (this.#publication.isInPlace) await this.#sweepLate(record);
      return true;
    } catch (error) {
      if (!(error instanceof MissingFolder)) throw error;
      if (await this.isPublished()) return false;
      throw asGone(wip, error);
    }
  }

  /** Where nothing is renamed, a part may come when its input was left out and all is published. */
  async #sweepLate({ input }: PartRecord): Promise<void> {
    const { wip } = this.folders;
    const leftOut = await this.#leftOut.found(wip);
    if (leftOut.has(input)) await this.#leftOut.sweep(wip);
  }

  /** Whether a shard is done, and its part what its record says. */
  async isDone(shard: number): Promise<boolean> {
    const record = await this.record(shard);
    return (
      record !== null && (await this.#parts.isWhole(record, this.folders.wip))
    );
  }

  /** The shards that are not done. */
  async missing(): Promise<number[]> {
    const { missing, damaged } = await this.inspect();
    return [...missing, ...damaged].sort((a, b) => a - b);
  }

  /** The shards without a record, by the names that are there: quick, and blind to parts that are damaged. */
  unrecorded(): Promise<number[]> {
    return this.#inFolder(async (folder) => {
      const names = await this.store.list(`${folder}/${COMMITS}`);
      const leftOut = await this.#leftOut.found(folder);
      return [...this.plan.of.shards.entries()]
        .filter(([shard, { input }]) => {
          const name = commitName(shard).slice(COMMITS.length + 1);
          return !names.has(name) && !leftOut.has(input);
        })
        .map(([shard]) => shard);
    });
  }

  /** The shards without a record, and those whose part is not what their record says; none of inputs left out. */
  async inspect(): Promise<{
    missing: number[];
    damaged: number[];
    faults: Fault[];
  }> {
    const faults = await this.faults();
    const isMissing = ({ record }: Fault) => record === null;
    const shardsOf = (of: Fault[]) =>
      of.flatMap(({ shard }) => (shard === null ? [] : [shard]));
    return {
      missing: shardsOf(faults.filter(isMissing)),
      damaged: shardsOf(faults.filter((fault) => !isMissing(fault))),
      faults,
    };
  }

  /** The parts that are not what was recorded of them; of a published dataset, its manifest too. @throws AbortedError */
  faults(look: Omit<Look, "without" | "others"> = {}): Promise<Fault[]> {
    return this.#inFolder(async (folder, isPublished) => {
      const without = await this.#leftOut.found(folder);
      if (!isPublished) return this.#parts.faults(folder, { ...look, without });
      const { fault, records } = await this.#publishedManifest();
      const found = { ...look, without, others: records };
      return [...(await this.#parts.faults(folder, found)), ...fault];
    });
  }

  /** The manifest of the published dataset, which has every part's record once more. */
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
    if (sha256(bytes) !== (await this.#success())?.manifest)
      return faulty(`does not match its SHA-256 in ${SUCCESS}`);
    const { fingerprint } = this.plan;
    const { parts } = decodeJson(bytes) as Manifest;
    const records = new Map(
      parts.map((part) => [
        part.shard,
        { record: { ...part, fingerprint }, stored },
      ]),
    );
    return { fault: [], records };
  }

  async #success(): Promise<Success | null> {
    const bytes = await this.store.read(`${this.folders.out}/${SUCCESS}`);
    return decodeJson(bytes) as Success | null;
  }

  /**
   * Puts a part and its record in the place of what the published dataset has of it.
   * @throws IoError where the dataset has been replaced by another
   */
  async replacePart(file: string, record: PartRecord): Promise<void> {
    const { out } = this.folders;
    if (!(await this.isPublished()))
      throw new IoError(
        out,
        "another run replaced or removed the dataset during the repair",
      );
    await replace(this.store, `${out}/${record.part}`, file);
    // Once more, so that it is younger than its part.
    const name = `${out}/${commitName(record.shard)}`;
    await replace(this.store, name, encodeJson(record));
  }

  /** Makes the manifest of the published dataset again from its records. @throws InternalError */
  async replaceManifest(): Promise<void> {
    const { out } = this.folders;
    const manifest = encodeJson(await this.#manifest(out));
    const expected = (await this.#success())?.manifest;
    if (sha256(manifest) !== expected)
      throw new InternalError(
        `${out}/${MANIFEST}: expected SHA-256 ${expected} as in ${SUCCESS}, found ${sha256(manifest)} when rebuilding it from the records; nothing was replaced`,
      );
    await replace(this.store, `${out}/${MANIFEST}`, manifest);
  }

  /** The inputs that the run goes on without, and why. */
  leftOut(): Promise<{ name: string; error: string }[]> {
    return this.#inFolder((folder) => this.#leftOut.all(folder));
  }

  /** Of them, those found bad since the plan. */
  leftOutByNumber(): Promise<Map<number, string>> {
    return this.#leftOut.found(this.folders.wip);
  }

  /** Goes on without an input. */
  async leaveOut(input: number, error: string): Promise<void> {
    try {
      await this.#leftOut.put(this.folders.wip, input, error);
    } catch (cause) {
      if (!(cause instanceof MissingFolder && (await this.isPublished())))
        throw cause;
    }
  }

  /**
   * Does work on the folder that has the run's files. Where another process publishes the run meanwhile, which renames
   * the folder, the work is done again on the dataset.
   */
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

  /** Removes a part that is not what its record says, and the record, so that it is made again. */
  async clearDamaged(shard: number): Promise<void> {
    const { wip } = this.folders;
    // A process that comes late would remove what another has made, and published, since.
    if (this.#publication.isInPlace) {
      if (await this.#parts.isLost(shard, wip)) this.#lost.add(shard);
    } else await this.#parts.clearDamaged(shard, wip);
  }

  /**
   * Publishes the dataset; all its shards must be done, but for those of inputs left out where those may be missing. Any
   * process may do it, any number of times.
   * @throws OutputExistsError where another dataset was published first; InputsSkippedError; IncompleteError;
   * ConfigurationError
   */
  async publish({
    overwrite,
    allowMissing = false,
  }: PublishOptions): Promise<void> {
    if (await this.isPublished()) return;
    this.refuseOtherVersion();
    const { out, wip } = this.folders;
    let success: Success;
    try {
      await this.#refuseLeftOut(allowMissing);
      await this.#leftOut.sweep(wip);
      const missing = await this.missing();
      if (missing.length > 0)
        throw new IncompleteError(out, missing, this.shards);
      const manifest = encodeJson(await this.#manifest(wip));
      await this.#putSame(`${wip}/${MANIFEST}`, manifest);
      success = {
        fingerprint: this.plan.fingerprint,
        manifest: sha256(manifest),
      };
    } catch (error) {
      // Another process has published while this one was at it.
      if (await this.isPublished()) return;
      throw asGone(wip, error);
    }
    await this.#publication
      .put(encodeJson(success), { overwrite })
      .catch((error) => {
        throw asGone(wip, error);
      });
    await this.clearUp();
  }

  /** Puts a file that every process makes the same. @throws InternalError where one has made another */
  async #putSame(name: string, bytes: Uint8Array): Promise<void> {
    if (await this.store.putIfAbsent(name, bytes)) return;
    const found = await this.store.read(name);
    if (found && sha256(found) !== sha256(bytes))
      throw new InternalError(
        `${name}: two processes wrote different bytes (SHA-256 ${sha256(bytes)} and ${sha256(found)})`,
      );
  }

  async #refuseLeftOut(allowMissing: boolean): Promise<void> {
    const { inputs, leftOut } = this.plan.of;
    const found = await this.#leftOut.all(this.folders.wip);
    if (found.length > 0 && !allowMissing)
      throw new InputsSkippedError(
        this.folders.out,
        found.map(({ name, error }) => ({ input: name, error })),
        inputs.length + leftOut.length,
      );
  }

  async #manifest(folder: string): Promise<Manifest> {
    const { shards } = this.plan.of;
    const parts: PartRecord[] = [];
    const leftOut = await this.#leftOut.found(folder);
    const records = await this.#parts.records(folder);
    for (const [shard, { input }] of shards.entries()) {
      if (leftOut.has(input)) continue;
      const { record } = records.get(shard) ?? {};
      if (!record) throw new InternalError(`shard ${shard} has no record`);
      parts.push(record);
    }
    return manifestOf(this.plan, parts, await this.#leftOut.all(folder));
  }

  /** @throws InternalError where a part that is there is not what this process has made */
  async #compareWith(part: string, file: string): Promise<void> {
    try {
      const found = await hashOf(this.store, part);
      const made = await hashOf(await openStore(file), file);
      if (found === made) return;
      throw new InternalError(
        `${part}: two processes computed different bytes (SHA-256 ${made} and ${found})`,
      );
    } finally {
      await rm(file, { force: true });
    }
  }

  /** After publishing, by whoever finds it published. */
  async clearUp(): Promise<void> {
    // Another process may have made a part of such an input between the manifest and the end.
    await this.#leftOut.sweep(this.folders.out);
    await this.#publication.clearUp();
  }
}

/** The absence of a run's place as an error of ours. */
function asGone(wip: string, error: unknown): unknown {
  if (!(error instanceof MissingFolder)) return error;
  return new IoError(
    wip,
    "the directory of the run was removed while it was in use",
    { cause: error },
  );
}
