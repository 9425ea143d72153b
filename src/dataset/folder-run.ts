import { basename, dirname, join } from "node:path";
import { OutputExistsError } from "../errors.js";
import { isAlive, randomHex } from "../io/temporary-names.js";
import { shortList, shortName } from "../printable.js";
import type { FolderStore } from "../storage/store.js";
import type { DatasetPlan } from "./dataset-plan.js";
import { DatasetRun } from "./dataset-run.js";
import {
  COMMITS,
  isDatasetFile,
  PLAN,
  type RunFolders,
  SUCCESS,
} from "./names.js";

/** Looks for a dataset that another process may be renaming. */
const LOOKS = 10;

/**
 * A run in folders: its own folder gets the name of the dataset, whole and at once, while other processes of the same run, or
 * of another, may do the same.
 */
export class FolderRun extends DatasetRun {
  constructor(
    protected override readonly store: FolderStore,
    folders: RunFolders,
    plan: DatasetPlan,
  ) {
    super(store, folders, plan);
  }

  override async isPublished(): Promise<boolean> {
    const { out, wip } = this.folders;
    for (let look = 1; ; look++) {
      if (await this.belongsToRun(out)) return true;
      // While the run has its own folder, nobody has renamed it.
      if (await this.store.head(wip)) return false;
      // It may have been renamed since the look at `out`, which the second look tells. After that, only a process that
      // replaces a dataset can have it under another name, for a moment.
      if (look === 1) continue;
      if (look > LOOKS || (await this.#asides()).length === 0) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async rejectOtherDataset({
    overwrite,
  }: {
    overwrite: boolean;
  }): Promise<void> {
    const { out } = this.folders;
    const refuse = (what: string) => new OutputExistsError(out, what);
    const found = await this.store.head(out);
    if (!found) return;
    if (!found.isFolder)
      throw refuse(
        `is ${found.isFile ? "a file" : "a link, device or pipe"}, not a directory; choose another output`,
      );
    if ((await this.store.list(out)).size === 0) return;
    const { fingerprint } = (await this.success()) ?? {};
    // Another process was faster.
    if (fingerprint === this.plan.fingerprint) return;
    if (typeof fingerprint !== "string")
      throw refuse(
        "contains other files; choose another output or an empty directory",
      );
    if (!overwrite)
      throw refuse(
        "already contains the dataset of another run; use --overwrite to replace it",
      );
    const others = await this.#otherNames(out);
    if (others.length > 0)
      throw refuse(
        `contains ${others.length} files or directories that are not part of its dataset; move them elsewhere: ${shortList(others, shortName)}`,
      );
  }

  /** Returns the names in a dataset's folder that no run has given. */
  async #otherNames(folder: string): Promise<string[]> {
    const names = (await this.store.list(folder)).keys();
    const records = (await this.store.list(`${folder}/${COMMITS}`)).keys();
    return [
      ...[...names].filter((name) => name !== COMMITS),
      ...[...records].map((name) => `${COMMITS}/${name}`),
    ].filter((name) => !isDatasetFile(name));
  }

  protected override async createFolders(): Promise<void> {
    const { wip, tmp } = this.folders;
    await this.checkLocation();
    await this.store.makeFolder(tmp);
    await this.store.makeFolder(`${wip}/${COMMITS}`);
  }

  protected async storePlan(plan: Uint8Array): Promise<void> {
    await this.store.putIfAbsent(`${this.folders.wip}/${PLAN}`, plan);
  }

  async checkLocation(): Promise<void> {
    const { wip, tmp } = this.folders;
    for (const folder of [wip, `${wip}/${COMMITS}`, tmp])
      await this.#refuseLink(folder);
  }

  /** Rejects anything but a folder: nothing is written through a link. @throws OutputExistsError */
  async #refuseLink(folder: string): Promise<void> {
    const found = await this.store.head(folder);
    if (found && !found.isFolder)
      throw new OutputExistsError(
        folder,
        `is ${found.isFile ? "a file" : "a link, device or pipe"}, but the run needs a directory of that name; remove it`,
      );
  }

  async discardDamaged(shard: number): Promise<void> {
    const { wip } = this.folders;
    if (await this.files.damaged(shard, wip))
      await this.files.remove(shard, wip);
  }

  /** Renames the complete folder of the run to the name of the dataset. */
  protected async put(
    success: Uint8Array,
    { overwrite }: { overwrite: boolean },
  ): Promise<void> {
    const { out, wip } = this.folders;
    await this.checkLocation();
    await this.store.putIfAbsent(`${wip}/${SUCCESS}`, success);
    if (
      !(await this.store.rename(wip, out)) &&
      // Another process may have been first, or the file system denied a rename that it made.
      !(await this.isPublished())
    ) {
      await this.rejectOtherDataset({ overwrite });
      if (!(await this.isPublished())) await this.#replace();
    }
    await this.#refuseLink(out);
  }

  /** The old dataset is there until the new one is complete, and for a moment under another name. */
  async #replace(): Promise<void> {
    const { out, wip, old } = this.folders;
    const aside = `${old}-${randomHex(12)}`;
    const isAside = await this.store.rename(out, aside);
    if (
      isAside &&
      ((await this.belongsToRun(aside)) ||
        (await this.#otherNames(aside)).length > 0)
    ) {
      // Another process has published, or put a file there, since this process looked.
      await this.store.rename(aside, out);
      return this.rejectOtherDataset({ overwrite: true });
    }
    if ((await this.store.rename(wip, out)) || (await this.isPublished()))
      return;
    if (isAside) await this.store.rename(aside, out);
    await this.rejectOtherDataset({ overwrite: false });
  }

  protected override async restoreSetAside(): Promise<boolean> {
    for (const aside of await this.#asides())
      if (await this.belongsToRun(aside))
        return this.store.rename(aside, this.folders.out);
    return false;
  }

  override async cleanUp(): Promise<void> {
    await super.cleanUp();
    const { wip, tmp } = this.folders;
    const repairs = (await this.#besides(`${tmp}-`)).filter(
      (folder) => isAlive(basename(folder)) === false,
    );
    for (const folder of [wip, tmp, ...(await this.#asides()), ...repairs])
      await this.store.remove(folder);
  }

  /** Returns the datasets that processes of this run have set aside. */
  #asides(): Promise<string[]> {
    return this.#besides(`${this.folders.old}-`);
  }

  /** Returns the folders beside the dataset whose paths begin with `start`. */
  async #besides(start: string): Promise<string[]> {
    const names = await this.store.list(dirname(start), basename(start));
    return [...names.keys()].map((name) => join(dirname(start), name));
  }
}
