import { basename, dirname, join } from "node:path";
import { IoError, OutputExistsError } from "../errors.js";
import { isAlive, randomHex } from "../io/temporary-names.js";
import { shortList, shortName } from "../printable.js";
import type { FolderStore } from "../store/store.js";
import { COMMITS, isOwnName, PLAN, type RunFolders, SUCCESS } from "./names.js";
import type { Publication } from "./publication.js";
import { decodeJson, type Success } from "./records.js";

/** Looks at a dataset that another process may be renaming. */
const LOOKS = 10;

/**
 * The name under which a run's dataset appears: who has it, and how the run's folder gets it, whole and at once, while
 * other processes of the same run, or of another, do the same.
 */
export class RenamedPublication implements Publication {
  readonly isInPlace = false;

  constructor(
    private readonly store: FolderStore,
    private readonly folders: RunFolders,
    private readonly fingerprint: string,
  ) {}

  async isPublished(): Promise<boolean> {
    const { out, wip } = this.folders;
    for (let look = 1; ; look++) {
      if (await this.#isOurs(out)) return true;
      // As long as the run has its own folder, nobody has renamed it.
      if (await this.store.head(wip)) return false;
      // It may have been renamed since the look at `out`, which the second look tells. After that, only a process that
      // replaces a dataset can have it under another name, for a moment.
      if (look === 1) continue;
      if (look > LOOKS || (await this.#asides()).length === 0) return false;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async refuseOther({ overwrite }: { overwrite: boolean }): Promise<void> {
    const { out } = this.folders;
    const found = await this.store.head(out);
    if (!found) return;
    if (!found.isFolder)
      throw new OutputExistsError(
        out,
        `is ${found.isFile ? "a file" : "a link, device or pipe"}, not a directory; choose another output`,
      );
    if ((await this.store.list(out)).size === 0) return;
    const success = decodeJson(await this.store.read(`${out}/${SUCCESS}`));
    const { fingerprint } = (success ?? {}) as Partial<Success>;
    // Another process was quicker.
    if (fingerprint === this.fingerprint) return;
    if (typeof fingerprint !== "string")
      throw new OutputExistsError(
        out,
        "contains other files; choose another output or an empty directory",
      );
    if (!overwrite)
      throw new OutputExistsError(
        out,
        "already contains the dataset of another run; use --overwrite to replace it",
      );
    const others = await this.#otherNames(out);
    if (others.length > 0)
      throw new OutputExistsError(
        out,
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
    ].filter((name) => !isOwnName(name));
  }

  async makePlace(): Promise<void> {
    const { wip, tmp } = this.folders;
    await this.checkPlace();
    await this.store.makeFolder(tmp);
    await this.store.makeFolder(`${wip}/${COMMITS}`);
  }

  async putPlan(plan: Uint8Array): Promise<void> {
    await this.store.putIfAbsent(`${this.folders.wip}/${PLAN}`, plan);
  }

  /** Files have no place where it is not. */
  async checkPlace(): Promise<void> {
    const { wip, tmp } = this.folders;
    for (const folder of [wip, `${wip}/${COMMITS}`, tmp])
      await this.#refuseLink(folder);
  }

  /** @throws OutputExistsError where something else than a folder has the name: nothing is written through a link */
  async #refuseLink(folder: string): Promise<void> {
    const found = await this.store.head(folder);
    if (found && !found.isFolder)
      throw new OutputExistsError(
        folder,
        `is ${found.isFile ? "a file" : "a link, device or pipe"}, but the run needs a directory of that name; remove it`,
      );
  }

  /** Gives the run's folder, complete, the dataset's name. */
  async put(
    success: Uint8Array,
    { overwrite }: { overwrite: boolean },
  ): Promise<void> {
    const { out, wip } = this.folders;
    await this.checkPlace();
    try {
      await this.store.putIfAbsent(`${wip}/${SUCCESS}`, success);
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
      if (!(await this.isPublished())) await this.#replace();
    }
    await this.#refuseLink(out);
    if (!(await this.isPublished()))
      throw new IoError(out, "the dataset is not there after it was renamed");
  }

  /** The old dataset is there until the new one is complete, and for a moment under another name. */
  async #replace(): Promise<void> {
    const { out, wip, old } = this.folders;
    const aside = `${old}-${randomHex(12)}`;
    const isAside = await this.store.rename(out, aside);
    if (
      isAside &&
      ((await this.#isOurs(aside)) ||
        (await this.#otherNames(aside)).length > 0)
    ) {
      // Since this process looked, another has published, or put a file there.
      await this.store.rename(aside, out);
      return this.refuseOther({ overwrite: true });
    }
    if ((await this.store.rename(wip, out)) || (await this.isPublished()))
      return;
    if (isAside) await this.store.rename(aside, out);
    await this.refuseOther({ overwrite: false });
  }

  /** A dataset of this run that a process has set aside by mistake, and died. Whether there was one. */
  async takeBack(): Promise<boolean> {
    for (const aside of await this.#asides())
      if (await this.#isOurs(aside))
        return this.store.rename(aside, this.folders.out);
    return false;
  }

  async clearUp(): Promise<void> {
    const { wip, tmp } = this.folders;
    const repairs = (await this.#besides(`${tmp}-`)).filter(
      (folder) => isAlive(basename(folder)) === false,
    );
    for (const folder of [wip, tmp, ...(await this.#asides()), ...repairs])
      await this.store.remove(folder);
  }

  /** What processes of this run have set aside. */
  #asides(): Promise<string[]> {
    return this.#besides(`${this.folders.old}-`);
  }

  /** Folders beside the dataset, by the start of their paths. */
  async #besides(start: string): Promise<string[]> {
    const names = await this.store.list(dirname(start), basename(start));
    return [...names.keys()].map((name) => join(dirname(start), name));
  }

  /** Whether a folder is the complete dataset of this run. */
  async #isOurs(folder: string): Promise<boolean> {
    const found = decodeJson(await this.store.read(`${folder}/${SUCCESS}`));
    return (found as Success | null)?.fingerprint === this.fingerprint;
  }
}
