import { rm } from "node:fs/promises";
import { InternalError } from "../errors.js";
import { processMark, randomHex } from "../io/temporary-names.js";
import { openStore } from "../store/open-store.js";
import type { S3Access } from "../store/s3-options.js";
import { hasFolders, type Store } from "../store/store.js";
import { DatasetRun, type ShardRun } from "./dataset-run.js";
import { type PartRecord, sameRecords } from "./records.js";
import type { Fault } from "./stored-parts.js";

/**
 * Replaces damaged parts of a published dataset. Unlike a run under way it has no folder that is published at the end:
 * every part is replaced by itself, and has its temporary file in a folder of this process alone.
 */
export class Repair implements ShardRun {
  private constructor(
    readonly run: DatasetRun,
    readonly store: Store,
    private readonly records: ReadonlyMap<number, PartRecord | null>,
  ) {}

  /** @throws OutputExistsError where the dataset's folder is a link */
  static async open(
    { folders: { tmp, ...folders }, plan }: DatasetRun,
    s3: S3Access,
    faults: readonly Fault[],
  ): Promise<Repair> {
    const own = { ...folders, tmp: `${tmp}-${processMark()}-${randomHex(12)}` };
    const store = await openStore(own.out, s3, own.tmp);
    const run = new DatasetRun(store, own, plan);
    run.refuseOtherVersion();
    await run.refuseOther({ overwrite: false });
    if (hasFolders(store)) await store.makeFolder(own.tmp);
    const records = faults.flatMap(({ shard, record }) =>
      shard === null ? [] : [[shard, record] as const],
    );
    return new Repair(run, store, new Map(records));
  }

  get plan() {
    return this.run.plan;
  }

  get folders() {
    return this.run.folders;
  }

  get shards() {
    return this.run.shards;
  }

  /** Whether another process has repaired it since. */
  async isDone(shard: number): Promise<boolean> {
    const isWanted = (other: number) => other === shard;
    const faults = await this.run.faults({ isWanted, thorough: true });
    return faults.every((fault) => fault.shard !== shard);
  }

  /** Nobody else publishes it and makes the work needless. */
  async isPublished(): Promise<boolean> {
    return false;
  }

  async leftOutByNumber(): Promise<Map<number, string>> {
    return new Map();
  }

  async leaveOut(): Promise<void> {}

  async clearDamaged(): Promise<void> {}

  /** @throws InternalError where the part has not the bytes of its record; nothing is replaced then */
  async commit(file: string, record: PartRecord): Promise<boolean> {
    try {
      const expected = this.records.get(record.shard);
      if (expected && !sameRecords(expected, record))
        throw new InternalError(
          `${this.folders.out}/${record.part}: the recomputed shard (${describe(record)}) differs from its record (${describe(expected)}); nothing was replaced`,
        );
      if (!(await this.isDone(record.shard)))
        await this.run.replacePart(file, record);
      return true;
    } finally {
      await rm(file, { force: true });
    }
  }

  async close(): Promise<void> {
    if (hasFolders(this.store)) await this.store.remove(this.folders.tmp);
  }
}

function describe({ rows, bytes, sha256 }: PartRecord): string {
  return `${rows} rows, ${bytes} bytes${sha256 === null ? "" : `, SHA-256 ${sha256}`}`;
}
