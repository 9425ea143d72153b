import { basename } from "node:path";
import { InternalError, IoError } from "../errors.js";
import { pooled } from "../io/pooled.js";
import type { Store, Stored } from "../store/store.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { COMMITS, commitName } from "./names.js";
import { decodeJson, type PartRecord } from "./records.js";

/** Records read at once, where each is a request. */
const RECORDS_AT_ONCE = 16;

/** A record, and the file that it was read from. */
export interface StoredRecord {
  record: PartRecord;
  stored: Stored;
}

/** The parts of a run that stand in a folder of its store, and what is recorded of them. */
export class StoredParts {
  /** Records that have been read. */
  readonly #known = new Map<number, StoredRecord>();

  constructor(
    private readonly store: Store,
    private readonly plan: DatasetPlan,
  ) {}

  /** What is known of a shard that is done; null: it is not. @throws InternalError */
  async record(shard: number, folder: string): Promise<PartRecord | null> {
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

  /** All records, by shard: of many, a list costs less than looking for each. */
  async records(folder: string): Promise<Map<number, StoredRecord>> {
    const files = await this.store.files(`${folder}/${COMMITS}`);
    const shards = [...this.plan.of.shards.keys()].filter((shard) =>
      files.has(basename(commitName(shard))),
    );
    await pooled(shards, RECORDS_AT_ONCE, async (shard) => {
      const stored = files.get(basename(commitName(shard))) as Stored;
      // One that has been read is read again where it is no longer what it was.
      if (this.#known.get(shard)?.stored.modified === stored.modified) return;
      const record = await this.record(shard, folder);
      if (record) this.#known.set(shard, { record, stored });
      else this.#known.delete(shard);
    });
    const found = shards.flatMap((shard) => {
      const known = this.#known.get(shard);
      return known ? [[shard, known] as const] : [];
    });
    return new Map(found);
  }

  /** The shards without a record, and those whose part is not what their record says; but for those of some inputs. */
  async inspect(
    folder: string,
    without: ReadonlyMap<number, unknown>,
  ): Promise<{ missing: number[]; damaged: number[] }> {
    const records = await this.records(folder);
    const parts = await this.store.files(folder);
    const missing: number[] = [];
    const damaged: number[] = [];
    for (const [shard, { input }] of this.plan.of.shards.entries()) {
      if (without.has(input)) continue;
      const known = records.get(shard);
      if (!known) missing.push(shard);
      else {
        const part = parts.get(known.record.part) ?? null;
        if (!(await this.#isSame(known.record, part, known.stored, folder)))
          damaged.push(shard);
      }
    }
    return { missing, damaged };
  }

  /** Whether a shard's part is what its record says. */
  async isWhole(record: PartRecord, folder: string): Promise<boolean> {
    const part = await this.store.stat(`${folder}/${record.part}`);
    const name = `${folder}/${commitName(record.shard)}`;
    const stored = part && (await this.store.stat(name));
    return this.#isSame(record, part, stored, folder);
  }

  /** Removes a part that is not what its record says, and the record, so that it is made again. */
  async clearDamaged(shard: number, folder: string): Promise<void> {
    const record = await this.record(shard, folder);
    if (!record || (await this.isWhole(record, folder))) return;
    this.#known.delete(shard);
    await this.store.remove(`${folder}/${commitName(shard)}`);
    await this.store.remove(`${folder}/${record.part}`);
  }

  /** @throws IoError where a part that is there is not what its record says */
  async refuseDamaged(shard: number, folder: string): Promise<void> {
    const record = await this.record(shard, folder);
    if (!record || (await this.isWhole(record, folder))) return;
    const name = `${folder}/${record.part}`;
    if (await this.store.stat(name))
      throw new IoError(
        name,
        `expected ${record.bytes} bytes older than their record, found others (nothing is replaced here: remove it, and it is made again)`,
      );
  }

  /** One that is younger than its record has been changed since. */
  async #isSame(
    { part, bytes, sha256 }: PartRecord,
    found: Stored | null,
    record: Stored | null,
    folder: string,
  ): Promise<boolean> {
    if (!found?.isFile || found.bytes !== bytes) return false;
    if (record !== null && found.modified <= record.modified) return true;
    return (
      sha256 !== null && (await this.store.hash(`${folder}/${part}`)) === sha256
    );
  }
}
