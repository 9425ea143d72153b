import { basename } from "node:path";
import { AbortedError, InternalError, IoError } from "../errors.js";
import { pooled } from "../io/pooled.js";
import { filesIn, hashOf, type Store, type Stored } from "../store/store.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { COMMITS, commitName, partName } from "./names.js";
import { decodeJson, type PartRecord } from "./records.js";

/** Records read at once, where each is a request. */
const RECORDS_AT_ONCE = 16;

/** Parts read at once: one is read from the disk, or the network, while another is hashed. */
const PARTS_AT_ONCE = 4;

/** A record, and the file that it was read from. */
export interface StoredRecord {
  record: PartRecord;
  stored: Stored;
}

/** A file of a run that is missing, or is not what was recorded of it. */
export interface Fault {
  /** null: a file that is no part. */
  shard: number | null;
  part: string;
  /** What is wrong, as the rest of a sentence that begins with the file's name. */
  found: string;
  /** What the part has to be; null: that is not known. */
  record: PartRecord | null;
}

/** How parts are looked at. */
export interface Look {
  /** Inputs whose parts are not wanted. */
  without: ReadonlyMap<number, unknown>;
  /** Default: all shards. */
  isWanted?: ((shard: number) => boolean) | undefined;
  /** Where a record has a SHA-256, the part is read; else only if it is younger than the record. */
  thorough?: boolean | undefined;
  /** For shards whose own record is missing or damaged. */
  others?: ReadonlyMap<number, StoredRecord> | undefined;
  signal?: AbortSignal | undefined;
  onChecked?: ((shard: number) => void) | undefined;
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
        `${name} is not the record of shard ${shard} of run ${fingerprint}`,
      );
    return found;
  }

  /**
   * All records, by shard: of many, a list costs less than looking for each.
   * @param others for shards whose record is missing, or another
   */
  async records(
    folder: string,
    others?: ReadonlyMap<number, StoredRecord>,
  ): Promise<Map<number, StoredRecord>> {
    const files = await filesIn(this.store, `${folder}/${COMMITS}`);
    const shards = [...this.plan.of.shards.keys()].filter((shard) =>
      files.has(basename(commitName(shard))),
    );
    await pooled(shards, RECORDS_AT_ONCE, async (shard) => {
      const stored = files.get(basename(commitName(shard))) as Stored;
      // One that has been read is read again where it is no longer what it was.
      if (this.#known.get(shard)?.stored.modified === stored.modified) return;
      this.#known.delete(shard);
      const record = await this.record(shard, folder).catch((error) => {
        if (others?.has(shard) && error instanceof InternalError) return null;
        throw error;
      });
      if (record) this.#known.set(shard, { record, stored });
    });
    const found = shards.flatMap((shard) => {
      const known = this.#known.get(shard);
      return known ? [[shard, known] as const] : [];
    });
    return new Map([...(others ?? []), ...found]);
  }

  /** The shards without a record, and those whose part is not what the record says. @throws AbortedError */
  async faults(
    folder: string,
    { without, isWanted = () => true, others, ...look }: Look,
  ): Promise<Fault[]> {
    const { shards } = this.plan.of;
    const records = await this.records(folder, others);
    const parts = await filesIn(this.store, folder);
    const wanted = [...shards.entries()].filter(
      ([shard, { input }]) => isWanted(shard) && !without.has(input),
    );
    const found = await pooled(wanted, PARTS_AT_ONCE, async ([shard]) => {
      const part = partName(shard, shards.length);
      const known = records.get(shard);
      const fault = known
        ? await this.#fault(known, parts.get(part), folder, look)
        : "has no record";
      look.onChecked?.(shard);
      const { record = null } = known ?? {};
      return fault === null ? [] : [{ shard, part, found: fault, record }];
    });
    return found.flat();
  }

  /** Whether a shard's part is what its record says. */
  async isWhole(record: PartRecord, folder: string): Promise<boolean> {
    const name = `${folder}/${commitName(record.shard)}`;
    const stored = await this.store.head(name);
    const known = stored && { record, stored };
    return known !== null && !(await this.#fault(known, null, folder));
  }

  /** Removes a part that is not what its record says, and the record, so that it is made again. */
  async clearDamaged(shard: number, folder: string): Promise<void> {
    const record = await this.record(shard, folder);
    if (!record || (await this.isWhole(record, folder))) return;
    this.#known.delete(shard);
    await this.store.remove(`${folder}/${commitName(shard)}`);
    await this.store.remove(`${folder}/${record.part}`);
  }

  /**
   * Returns whether a shard has a record and no part.
   * @throws IoError where a part that is there is not what its record says
   */
  async isLost(shard: number, folder: string): Promise<boolean> {
    const record = await this.record(shard, folder);
    if (!record || (await this.isWhole(record, folder))) return false;
    const name = `${folder}/${record.part}`;
    if (await this.store.head(name))
      throw new IoError(
        name,
        `the object differs from its record (${record.bytes} bytes) or was modified later; remove it, and it is recomputed`,
      );
    return true;
  }

  /**
   * What is wrong with a part; null: nothing.
   * @param found the part, where it has been seen as a file
   */
  async #fault(
    { record: { part, bytes, sha256 }, stored }: StoredRecord,
    found: Stored | null | undefined,
    folder: string,
    { thorough, signal }: Pick<Look, "thorough" | "signal"> = {},
  ): Promise<string | null> {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    const name = `${folder}/${part}`;
    found ??= await this.store.head(name);
    if (!found) return "is missing";
    if (!found.isFile) return "is not a regular file";
    if (found.bytes !== bytes)
      return `has ${found.bytes} bytes instead of ${bytes}`;
    const isOlder = found.modified <= stored.modified;
    if (isOlder && (!thorough || sha256 === null)) return null;
    // A copy may be younger than its record, and is no worse for it; without a SHA-256 nobody can tell.
    if (sha256 === null) return "was modified after it was recorded";
    return (await hashOf(this.store, name, signal)) === sha256
      ? null
      : "does not match its SHA-256 in the record";
  }
}
