import { basename, dirname, join } from "node:path";
import { IoError, OutputExistsError } from "../errors.js";
import { randomHex } from "../io/random-name.js";
import type { FolderStore } from "../store/store.js";
import { COMMITS, PLAN, type RunFolders, SUCCESS } from "./names.js";
import type { Publication } from "./publication.js";
import { decodeJson, type Success } from "./records.js";

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

  isPublished(): Promise<boolean> {
    return this.#isOurs(this.folders.out);
  }

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
    const { fingerprint } = (success ?? {}) as Partial<Success>;
    // Another process was quicker.
    if (fingerprint === this.fingerprint) return;
    if (typeof fingerprint !== "string")
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

  async makePlace(): Promise<void> {
    const { wip, tmp } = this.folders;
    await this.store.makeFolder(tmp);
    await this.store.makeFolder(`${wip}/${COMMITS}`);
  }

  async putPlan(plan: Uint8Array): Promise<void> {
    await this.store.putIfAbsent(`${this.folders.wip}/${PLAN}`, plan);
  }

  /** Files have no place where it is not. */
  async checkPlace(): Promise<void> {}

  /** Gives the run's folder, complete, the dataset's name. */
  async put(
    success: Uint8Array,
    { overwrite }: { overwrite: boolean },
  ): Promise<void> {
    const { out, wip } = this.folders;
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
    if (!(await this.#staysPublished()))
      throw new IoError(
        out,
        "expected the dataset under its name after it was renamed, found it is not there",
      );
  }

  /** The old dataset is there until the new one is complete, and for a moment under another name. */
  async #replace(): Promise<void> {
    const { out, wip, old } = this.folders;
    const aside = `${old}-${randomHex(12)}`;
    const isAside = await this.store.rename(out, aside);
    if (isAside && (await this.#isOurs(aside))) {
      // Another process has published since this one looked.
      await this.store.rename(aside, out);
      return;
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
    for (const folder of [wip, tmp, ...(await this.#asides())])
      await this.store.remove(folder);
  }

  /** What processes of this run have set aside. */
  async #asides(): Promise<string[]> {
    const { old } = this.folders;
    const names = await this.store.list(dirname(old));
    return names
      .filter((name) => name.startsWith(`${basename(old)}-`))
      .map((name) => join(dirname(old), name));
  }

  /** Another process may have it in its hands for a moment, to see whose it is. */
  async #staysPublished(): Promise<boolean> {
    for (let look = 0; look < 10; look++) {
      if (await this.isPublished()) return true;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return false;
  }

  /** Whether a folder is the complete dataset of this run. */
  async #isOurs(folder: string): Promise<boolean> {
    const found = decodeJson(await this.store.read(`${folder}/${SUCCESS}`));
    return (found as Success | null)?.fingerprint === this.fingerprint;
  }
}
