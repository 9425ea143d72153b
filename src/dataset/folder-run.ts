import { basename, dirname, join } from "node:path";
import { OutputExistsError } from "../errors.js";
import { numberOf } from "../format-number.js";
import { isAlive, randomHex } from "../io/temporary-names.js";
import { delay } from "../io/waiting.js";
import { shortList, shortName } from "../printable.js";
import type { FolderStore } from "../storage/store.js";
import {
  COMMITS,
  isDatasetFile,
  PLAN,
  type ShardRecord,
  SUCCESS,
} from "./dataset-files.js";
import { DatasetRun } from "./dataset-run.js";

/** Maximum number of checks for a dataset that another process may be renaming. */
const MAX_CHECKS = 10;

/**
 * Run in directories: publishing renames the run's directory to the output in one step. Other processes, of this run or of
 * another, may do the same at any time.
 */
export class FolderRun extends DatasetRun<FolderStore> {
  override async isPublished(): Promise<boolean> {
    const { out, wip } = this.folders;
    for (let checks = 1; ; checks++) {
      if (await this.belongsToRun(out)) return true;
      // While the run's own directory exists, nobody has published it.
      if (await this.store.head(wip)) return false;
      // It may have been renamed after `out` was read, so `out` is read again. After that, only a process that replaces a
      // dataset can have renamed it, for a moment.
      if (checks === 1) continue;
      if (checks > MAX_CHECKS || (await this.#replaced()).length === 0)
        return false;
      await delay(0.02);
    }
  }

  async rejectOtherDataset(options: { overwrite: boolean }): Promise<void> {
    const { out } = this.folders;
    const rejection = (what: string) => new OutputExistsError(out, what);
    await this.#rejectLink(out, "not a directory; choose another output");
    if ((await this.store.list(out)).size === 0) return;
    const { fingerprint } = (await this.success()) ?? {};
    // Another process published this run first.
    if (fingerprint === this.plan.fingerprint) return;
    if (typeof fingerprint !== "string")
      throw rejection(
        "contains other files; choose another output or an empty directory",
      );
    if (!options.overwrite)
      throw rejection(
        "already contains the dataset of another run; use --overwrite to replace it",
      );
    const others = await this.#otherNames(out);
    if (others.length > 0)
      throw rejection(
        `contains ${numberOf(others.length, "file or directory that is", "files or directories that are")} not part of its dataset; move ${others.length === 1 ? "it" : "them"} elsewhere: ${shortList(others, shortName)}`,
      );
  }

  /** Returns the names in a dataset's directory that are not files of a dataset. */
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
      await this.#rejectLink(folder);
  }

  /** Rejects links and files, so that nothing is written through a link. @throws OutputExistsError */
  async #rejectLink(
    folder: string,
    rest = "but the run needs a directory of that name; remove it",
  ): Promise<void> {
    const found = await this.store.head(folder);
    if (!found || found.isFolder) return;
    const kind = found.isFile ? "a file" : "a link, device or pipe";
    throw new OutputExistsError(folder, `is ${kind}, ${rest}`);
  }

  protected async discardDamaged({ shard }: ShardRecord): Promise<void> {
    await this.files.remove(shard);
  }

  /** Renames the complete directory of the run to the output. */
  protected async publishFiles(
    success: Uint8Array,
    { overwrite }: { overwrite: boolean },
  ): Promise<void> {
    const { out, wip } = this.folders;
    await this.checkLocation();
    await this.store.putIfAbsent(`${wip}/${SUCCESS}`, success);
    if (!(await this.store.rename(wip, out))) {
      // If another process was first, or the file system reported a failure for a rename that succeeded, it is published.
      await this.rejectOtherDataset({ overwrite });
      if (!(await this.isPublished())) await this.#replace();
    }
    await this.#rejectLink(out);
  }

  /** Replaces another dataset by this one: renames the old one, then the new one. */
  async #replace(): Promise<void> {
    const { out, wip, old } = this.folders;
    const replaced = `${old}-${randomHex(12)}`;
    const isRenamed = await this.store.rename(out, replaced);
    if (
      isRenamed &&
      ((await this.belongsToRun(replaced)) ||
        (await this.#otherNames(replaced)).length > 0)
    ) {
      // Another process has published this run, or added a file, since the check.
      await this.store.rename(replaced, out);
      return this.rejectOtherDataset({ overwrite: true });
    }
    if ((await this.store.rename(wip, out)) || (await this.isPublished()))
      return;
    if (isRenamed) await this.store.rename(replaced, out);
    await this.rejectOtherDataset({ overwrite: false });
  }

  protected override async restoreReplaced(): Promise<boolean> {
    for (const replaced of await this.#replaced())
      if (await this.belongsToRun(replaced))
        return this.store.rename(replaced, this.folders.out);
    return false;
  }

  override async cleanUp(): Promise<void> {
    await super.cleanUp();
    const { wip, tmp } = this.folders;
    const repairs = (await this.#siblings(`${tmp}-`)).filter(
      (folder) => isAlive(basename(folder)) === false,
    );
    for (const folder of [wip, tmp, ...(await this.#replaced()), ...repairs])
      await this.store.remove(folder);
  }

  /** Returns the datasets that processes of this run have renamed in order to replace them. */
  #replaced(): Promise<string[]> {
    return this.#siblings(`${this.folders.old}-`);
  }

  /** Returns the directories next to the dataset whose paths begin with `start`. */
  async #siblings(start: string): Promise<string[]> {
    const names = await this.store.list(dirname(start), basename(start));
    return [...names.keys()].map((name) => join(dirname(start), name));
  }
}
