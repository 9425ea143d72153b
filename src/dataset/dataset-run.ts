import { rm } from "node:fs/promises";
import { InputsLeftOutError, InternalError, IoError } from "../errors.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { sha256 } from "./fingerprint.js";
import { hashPath } from "./hash-file.js";
import { LeftOutInputs } from "./left-out.js";
import { type Manifest, manifestOf } from "./manifest.js";
import {
  COMMITS,
  commitName,
  MANIFEST,
  PLAN,
  type RunFolders,
  SUCCESS,
} from "./names.js";
import { Publication } from "./publication.js";
import {
  decodeJson,
  encodeJson,
  type PartRecord,
  type Success,
} from "./records.js";
import { MissingFolder, type Store } from "./store.js";

export interface PublishOptions {
  /** Another dataset is replaced. */
  overwrite: boolean;
  /** It is published without inputs that were left out. */
  allowMissing?: boolean;
}

/**
 * One run over a dataset, as it stands in a store: what has been done of it, by whatever process. Any number of processes
 * may work on it at once and die at any point; what they do twice has the same bytes.
 */
export class DatasetRun {
  readonly #leftOut: LeftOutInputs;
  readonly #publication: Publication;

  constructor(
    private readonly store: Store,
    readonly folders: RunFolders,
    readonly plan: DatasetPlan,
  ) {
    this.#leftOut = new LeftOutInputs(store, plan);
    this.#publication = new Publication(store, folders, plan.fingerprint);
  }

  get shards(): number {
    return this.plan.of.shards.length;
  }

  /** Whether the dataset is there, complete, and of this run. */
  isPublished(): Promise<boolean> {
    return this.#publication.isPublished();
  }

  /** @throws OutputExistsError where the name is taken by something that stays */
  refuseOther({ overwrite }: { overwrite: boolean }): Promise<void> {
    return this.#publication.refuseOther({ overwrite });
  }

  /**
   * Makes the run's folders and plan, where they are not there.
   * @returns false where the dataset is complete already
   * @throws OutputExistsError where the name is taken by something else
   */
  async begin({ overwrite }: { overwrite: boolean }): Promise<boolean> {
    const { wip, tmp } = this.folders;
    if ((await this.isPublished()) || (await this.#publication.takeBack())) {
      // Of a process that died between publishing and clearing up.
      await this.#clearUp();
      return false;
    }
    await this.refuseOther({ overwrite });
    await this.store.makeFolder(tmp);
    await this.store.makeFolder(`${wip}/${COMMITS}`);
    // Another process may have published, and with that renamed its folder away, since we have looked.
    if (await this.isPublished()) {
      await this.#clearUp();
      return false;
    }
    try {
      await this.store.putIfAbsent(`${wip}/${PLAN}`, encodeJson(this.plan));
    } catch (error) {
      // The same, a moment later.
      if (error instanceof MissingFolder && (await this.isPublished()))
        return false;
      throw error;
    }
    return true;
  }

  /** What is known of a shard that is done; null: it is not. @throws InternalError */
  async record(
    shard: number,
    folder = this.folders.wip,
  ): Promise<PartRecord | null> {
    const name = `${folder}/${commitName(shard)}`;
    const bytes = await this.store.read(name);
    if (!bytes) return null;
    const found = decodeJson(bytes) as PartRecord | null;
    const { fingerprint } = this.plan;
    if (found?.fingerprint !== fingerprint || found.shard !== shard)
      throw new InternalError(
        `${name}: expected the record of shard ${shard} of run ${fingerprint}, found another`,
      );
    return found;
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
      if (!(await this.store.publish(file, part)))
        await this.#compareWith(part, file);
      const name = `${wip}/${commitName(record.shard)}`;
      if (!(await this.store.putIfAbsent(name, encodeJson(record))))
        await this.record(record.shard);
      return true;
    } catch (error) {
      if (!(error instanceof MissingFolder)) throw error;
      if (await this.isPublished()) return false;
      throw new IoError(
        wip,
        "expected the run's folder, found that it has been removed",
        { cause: error },
      );
    }
  }

  /** Whether a shard is done, and its part what its record says. */
  async isDone(shard: number): Promise<boolean> {
    const record = await this.record(shard);
    return record !== null && (await this.#isWhole(record));
  }

  /** The shards that are not done. */
  async missing(): Promise<number[]> {
    const { missing, damaged } = await this.inspect();
    return [...missing, ...damaged].sort((a, b) => a - b);
  }

  /** The shards without a record, by the names that are there: quick, and blind to parts that are damaged. */
  async unrecorded(): Promise<number[]> {
    const folder = await this.#folder();
    const names = new Set(await this.store.list(`${folder}/${COMMITS}`));
    const leftOut = await this.#leftOut.found(folder);
    return [...this.plan.of.shards.entries()]
      .filter(([shard, { input }]) => {
        const name = commitName(shard).slice(COMMITS.length + 1);
        return !names.has(name) && !leftOut.has(input);
      })
      .map(([shard]) => shard);
  }

  /** The shards without a record, and those whose part is not what their record says; none of inputs left out. */
  async inspect(): Promise<{ missing: number[]; damaged: number[] }> {
    const folder = await this.#folder();
    const leftOut = await this.#leftOut.found(folder);
    const missing: number[] = [];
    const damaged: number[] = [];
    for (const [shard, { input }] of this.plan.of.shards.entries()) {
      if (leftOut.has(input)) continue;
      const record = await this.record(shard, folder);
      if (!record) missing.push(shard);
      else if (!(await this.#isWhole(record, folder))) damaged.push(shard);
    }
    return { missing, damaged };
  }

  /** The inputs that the run goes on without, and why. */
  async leftOut(): Promise<{ name: string; error: string }[]> {
    return this.#leftOut.all(await this.#folder());
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

  async #folder(): Promise<string> {
    return (await this.isPublished()) ? this.folders.out : this.folders.wip;
  }

  /** Removes a part that is not what its record says, and the record, so that it is made again. */
  async clearDamaged(shard: number): Promise<void> {
    const record = await this.record(shard);
    if (!record || (await this.#isWhole(record))) return;
    const { wip } = this.folders;
    await this.store.remove(`${wip}/${commitName(shard)}`);
    await this.store.remove(`${wip}/${record.part}`);
  }

  /**
   * Publishes the dataset; all its shards must be done, but for those of inputs left out where those may be missing. Any
   * process may do it, any number of times.
   * @throws OutputExistsError where another dataset was published first; InputsLeftOutError
   */
  async publish({
    overwrite,
    allowMissing = false,
  }: PublishOptions): Promise<void> {
    if (await this.isPublished()) return;
    const { wip } = this.folders;
    try {
      await this.#refuseLeftOut(allowMissing);
      await this.#leftOut.sweep(wip);
      const manifest = encodeJson(await this.#manifest());
      await this.store.putIfAbsent(`${wip}/${MANIFEST}`, manifest);
      const success: Success = {
        fingerprint: this.plan.fingerprint,
        manifest: sha256(manifest),
      };
      await this.store.putIfAbsent(`${wip}/${SUCCESS}`, encodeJson(success));
    } catch (error) {
      // Another process has published while this one was at it.
      if (await this.isPublished()) return;
      throw error;
    }
    await this.#publication.put({ overwrite });
    await this.#clearUp();
  }

  async #refuseLeftOut(allowMissing: boolean): Promise<void> {
    const { inputs, leftOut } = this.plan.of;
    const found = await this.#leftOut.all(this.folders.wip);
    if (found.length > 0 && !allowMissing)
      throw new InputsLeftOutError(
        this.folders.out,
        found.map(({ name, error }) => ({ input: name, error })),
        inputs.length + leftOut.length,
      );
  }

  async #manifest(): Promise<Manifest> {
    const { shards } = this.plan.of;
    const parts: PartRecord[] = [];
    const leftOut = await this.#leftOut.found(this.folders.wip);
    for (const [shard, { input }] of shards.entries()) {
      if (leftOut.has(input)) continue;
      const record = await this.record(shard);
      if (!record)
        throw new InternalError(`expected shard ${shard} to be done`);
      parts.push(record);
    }
    return manifestOf(
      this.plan,
      parts,
      await this.#leftOut.all(this.folders.wip),
    );
  }

  /** Whether a part is what its record says. One that is younger has been changed since. */
  async #isWhole(
    { shard, part, bytes, sha256 }: PartRecord,
    folder = this.folders.wip,
  ): Promise<boolean> {
    const found = await this.store.stat(`${folder}/${part}`);
    if (!found?.isFile || found.bytes !== bytes) return false;
    const record = await this.store.stat(`${folder}/${commitName(shard)}`);
    if (record !== null && found.modified <= record.modified) return true;
    return (
      sha256 !== null && (await this.store.hash(`${folder}/${part}`)) === sha256
    );
  }

  /** @throws InternalError where a part that is there is not what this process has made */
  async #compareWith(part: string, file: string): Promise<void> {
    try {
      const found = await this.store.hash(part);
      const made = await hashPath(file);
      if (found === made) return;
      throw new InternalError(
        `${part}: expected the same bytes from every process (SHA-256 ${made}), found others (${found})`,
      );
    } finally {
      await rm(file, { force: true });
    }
  }

  /** After publishing, by whoever finds it published. */
  async #clearUp(): Promise<void> {
    const { out, wip, tmp } = this.folders;
    // Another process may have made a part of such an input between the manifest and the folder's new name.
    await this.#leftOut.sweep(out);
    for (const folder of [wip, tmp, ...(await this.#publication.asides())])
      await this.store.remove(folder);
  }
}
