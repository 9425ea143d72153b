import { rm } from "node:fs/promises";
import {
  InputsLeftOutError,
  InternalError,
  IoError,
  OutputExistsError,
} from "../errors.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { sha256 } from "./fingerprint.js";
import { hashPath } from "./hash-file.js";
import { LeftOutInputs } from "./left-out.js";
import {
  COMMITS,
  commitName,
  MANIFEST,
  PLAN,
  partName,
  type RunFolders,
  SUCCESS,
} from "./names.js";
import {
  decodeJson,
  encodeJson,
  type Manifest,
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

  constructor(
    private readonly store: Store,
    readonly folders: RunFolders,
    readonly plan: DatasetPlan,
  ) {
    this.#leftOut = new LeftOutInputs(store, plan);
  }

  get shards(): number {
    return this.plan.of.shards.length;
  }

  /** Whether the dataset is there, complete, and of this run. */
  async isPublished(): Promise<boolean> {
    const { out } = this.folders;
    const found = decodeJson(await this.store.read(`${out}/${SUCCESS}`));
    return (found as Success | null)?.fingerprint === this.plan.fingerprint;
  }

  /**
   * Makes the run's folders and plan, where they are not there.
   * @returns false where the dataset is complete already
   * @throws OutputExistsError where the name is taken by something else
   */
  async begin({ overwrite }: { overwrite: boolean }): Promise<boolean> {
    const { wip, tmp } = this.folders;
    if (await this.isPublished()) {
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
    const { out, wip } = this.folders;
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
    if (
      !(await this.store.rename(wip, out)) &&
      // Else another process was first, or the file system said no and did it.
      !(await this.isPublished())
    ) {
      await this.refuseOther({ overwrite });
      await this.#replace();
    }
    if (!(await this.isPublished()))
      throw new IoError(
        out,
        "expected the dataset under its name after it was renamed, found it is not there",
      );
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

  /** The old dataset is there until the new one is complete, and for a moment under another name. */
  async #replace(): Promise<void> {
    const { out, wip, old } = this.folders;
    await this.store.remove(old);
    await this.store.rename(out, old);
    if (!(await this.store.rename(wip, out)) && !(await this.isPublished()))
      await this.refuseOther({ overwrite: false });
  }

  async #manifest(): Promise<Manifest> {
    const { fingerprint, of } = this.plan;
    const parts: Manifest["parts"][number][] = [];
    const leftOut = await this.#leftOut.found(this.folders.wip);
    for (const [shard, { input }] of of.shards.entries()) {
      if (leftOut.has(input)) continue;
      const record = await this.record(shard);
      if (!record)
        throw new InternalError(`expected shard ${shard} to be done`);
      const { fingerprint: _, ...part } = record;
      parts.push(part);
    }
    const sum = (of: (part: (typeof parts)[number]) => number) =>
      parts.reduce((total, part) => total + of(part), 0);
    return {
      format: 1,
      fingerprint,
      softjac: of.softjac,
      options: of.options,
      inputs: of.inputs.map(({ name, bytes, rows }) => ({ name, bytes, rows })),
      leftOut: await this.#leftOut.all(this.folders.wip),
      rows: sum(({ rows }) => rows),
      bytes: sum(({ bytes }) => bytes),
      badRows: sum(({ badRows }) => badRows),
      parts,
    };
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

  /**
   * A dataset is replaced where that is asked for; nothing else ever is.
   * @throws OutputExistsError where something is there that stays
   */
  async refuseOther({ overwrite }: { overwrite: boolean }): Promise<void> {
    const { out } = this.folders;
    const found = await this.store.stat(out);
    if (!found) return;
    if (!found.isFolder)
      throw new OutputExistsError(
        out,
        `${found.isFile ? "a file" : "a link, device or pipe"}, where the dataset's folder belongs`,
      );
    const names = await this.store.list(out);
    if (names.length === 0) return;
    const success = decodeJson(await this.store.read(`${out}/${SUCCESS}`));
    if (typeof (success as Success | null)?.fingerprint !== "string")
      throw new OutputExistsError(
        out,
        "a folder with other things in it (no option replaces it)",
      );
    if (!overwrite)
      throw new OutputExistsError(
        out,
        "the dataset of another run (--overwrite replaces it)",
      );
  }

  /** After publishing, by whoever finds it published. */
  async #clearUp(): Promise<void> {
    const { out, wip, tmp, old } = this.folders;
    // Another process may have made a part of such an input between the manifest and the folder's new name.
    await this.#leftOut.sweep(out);
    for (const folder of [wip, tmp, old]) await this.store.remove(folder);
  }
}

/** The record of a part that is finished. */
export function partRecord(
  { fingerprint, of }: DatasetPlan,
  shard: number,
  made: Omit<
    PartRecord,
    "fingerprint" | "shard" | "part" | "input" | "rowStart" | "rowEnd"
  >,
): PartRecord {
  const span = of.shards[shard] as (typeof of.shards)[number];
  return {
    fingerprint,
    shard,
    part: partName(shard, of.shards.length),
    ...span,
    ...made,
  };
}
