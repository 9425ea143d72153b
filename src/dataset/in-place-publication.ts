import {
  ConfigurationError,
  InternalError,
  OutputExistsError,
} from "../errors.js";
import { MissingFolder, type ObjectStore } from "../store/store.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { PLAN, type RunFolders, SUCCESS } from "./names.js";
import type { Publication } from "./publication.js";
import { decodeJson, type Success } from "./records.js";
import { refuseOverwrite } from "./refuse-overwrite.js";

/**
 * Where nothing can be renamed: the run's files are put where they stay, each where nothing is, and what says that all are
 * there comes last. The place is the run's whose plan was there first.
 */
export class InPlacePublication implements Publication {
  readonly isInPlace = true;

  constructor(
    private readonly store: ObjectStore,
    private readonly folders: RunFolders,
    private readonly fingerprint: string,
  ) {}

  async isPublished(): Promise<boolean> {
    const found = decodeJson(await this.store.read(this.#success));
    return (found as Success | null)?.fingerprint === this.fingerprint;
  }

  async refuseOther({ overwrite }: { overwrite: boolean }): Promise<void> {
    const { out } = this.folders;
    refuseOverwrite(out, overwrite);
    if (await this.#isOurs()) return;
    const [name] = (await this.store.list(out)).keys();
    if (name === undefined || (await this.#isOurs())) return;
    throw new OutputExistsError(
      out,
      `contains other objects (${name}); choose another prefix`,
    );
  }

  async makePlace(): Promise<void> {}

  async putPlan(plan: Uint8Array): Promise<void> {
    if (!(await this.store.putIfAbsent(this.#plan, plan))) {
      if (!(await this.#isOurs())) throw new MissingFolder(this.#plan);
      return;
    }
    // A server that does not know the condition replaces what is there: with the same bytes here, and no harm done.
    if (await this.store.putIfAbsent(this.#plan, plan))
      throw new ConfigurationError(
        `${this.#plan}: the object store ignores If-None-Match: *, so concurrent writers could overwrite each other; use another store`,
      );
  }

  async checkPlace(file?: string): Promise<void> {
    const plan = await this.#ownPlan();
    if (!plan) throw new MissingFolder(this.#plan);
    if (file !== undefined)
      await this.store.checkUploads(file, this.#plan, plan);
  }

  async put(
    success: Uint8Array,
    { overwrite }: { overwrite: boolean },
  ): Promise<void> {
    refuseOverwrite(this.folders.out, overwrite);
    await this.checkPlace();
    if (await this.store.putIfAbsent(this.#success, success)) return;
    const found = await this.store.read(this.#success);
    if (!found || Buffer.compare(found, success) !== 0)
      throw new InternalError(
        `${this.#success}: two processes wrote different bytes`,
      );
  }

  async takeBack(): Promise<boolean> {
    return false;
  }

  async clearUp(): Promise<void> {}

  get #plan(): string {
    return `${this.folders.out}/${PLAN}`;
  }

  get #success(): string {
    return `${this.folders.out}/${SUCCESS}`;
  }

  async #isOurs(): Promise<boolean> {
    return (await this.#ownPlan()) !== null;
  }

  /** The bytes of the run's plan; null: there is no plan. @throws OutputExistsError where the place is another run's */
  async #ownPlan(): Promise<Uint8Array | null> {
    const bytes = await this.store.read(this.#plan);
    if (!bytes) return null;
    const found = decodeJson(bytes) as DatasetPlan | null;
    if (found?.fingerprint === this.fingerprint) return bytes;
    const whose =
      typeof found?.fingerprint === "string"
        ? `run ${found.fingerprint}`
        : "another program";
    throw new OutputExistsError(
      this.folders.out,
      `is used by ${whose}; choose another prefix, or remove that dataset first`,
    );
  }
}
