import { ConfigurationError, IoError, OutputExistsError } from "../errors.js";
import {
  MissingFolderError,
  type ObjectStore,
  replace,
} from "../storage/store.js";
import {
  decodeJson,
  encodeJson,
  PLAN,
  recordName,
  type ShardRecord,
  SUCCESS,
} from "./dataset-files.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { DatasetRun } from "./dataset-run.js";
import { rejectOverwrite } from "./options.js";

/**
 * Run in an object store, where nothing can be renamed: every object is put under its final name with If-None-Match: *, and
 * _SUCCESS comes last. A prefix belongs to the run whose plan was stored first.
 */
export class PrefixRun extends DatasetRun<ObjectStore> {
  /** Shards that have a record but no file. */
  readonly #lost = new Set<number>();

  async rejectOtherDataset(): Promise<void> {
    const { out } = this.folders;
    if (await this.#ownPlan()) return;
    const [name] = (await this.store.list(out)).keys();
    if (name === undefined || (await this.#ownPlan())) return;
    throw new OutputExistsError(
      out,
      `contains other objects (${name}); choose another prefix`,
    );
  }

  protected async storePlan(plan: Uint8Array): Promise<void> {
    if (!(await this.store.putIfAbsent(this.#plan, plan))) {
      await this.checkLocation();
      return;
    }
    // A server that ignores the condition replaces the plan by the same bytes.
    if (await this.store.putIfAbsent(this.#plan, plan))
      throw new ConfigurationError(
        `${this.#plan}: the object store ignores If-None-Match: *, so concurrent writers could overwrite each other; use another store`,
      );
  }

  async checkLocation(file?: string): Promise<void> {
    const plan = await this.#ownPlan();
    if (!plan) throw new MissingFolderError(this.#plan);
    if (file !== undefined)
      await this.store.checkUploads(file, this.#plan, plan);
  }

  /** Removes nothing, because another process may have recomputed and published the shard since the check. @throws IoError */
  protected async discardDamaged(record: ShardRecord): Promise<void> {
    const name = `${this.folders.wip}/${record.part}`;
    if (await this.store.head(name))
      throw new IoError(
        name,
        `the object differs from its record (${record.bytes} bytes) or was modified later; remove it, and it is recomputed`,
      );
    this.#lost.add(record.shard);
  }

  protected override async afterCommit(
    record: ShardRecord,
    isNew: boolean,
  ): Promise<void> {
    // A file that is newer than its record would count as modified.
    if (isNew && this.#lost.has(record.shard)) {
      const name = `${this.folders.wip}/${recordName(record.shard)}`;
      await replace(this.store, name, encodeJson(record));
    }
    // Another process may have skipped the input and published the dataset meanwhile.
    const skipped = await this.files.skippedInputs();
    if (skipped.has(record.input)) await this.files.removeSkippedShards();
  }

  protected async publishFiles(
    success: Uint8Array,
    { overwrite }: { overwrite: boolean },
  ): Promise<void> {
    const { out } = this.folders;
    rejectOverwrite(out, overwrite);
    await this.checkLocation();
    await this.putIdentical(`${out}/${SUCCESS}`, success);
  }

  get #plan(): string {
    return `${this.folders.out}/${PLAN}`;
  }

  /** Returns the bytes of the run's plan, or null if there is none. @throws OutputExistsError if another run uses the prefix */
  async #ownPlan(): Promise<Uint8Array | null> {
    const bytes = await this.store.read(this.#plan);
    if (!bytes) return null;
    const plan = decodeJson(bytes) as DatasetPlan | null;
    if (plan?.fingerprint === this.plan.fingerprint) return bytes;
    const isRun = typeof plan?.fingerprint === "string";
    throw new OutputExistsError(
      this.folders.out,
      `is used by ${isRun ? `run ${plan.fingerprint}` : "another program"}; choose another prefix, or remove that dataset first`,
    );
  }
}
