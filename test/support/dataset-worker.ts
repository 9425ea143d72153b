import { readdirSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { makePlan, sha256 } from "../../src/dataset/dataset-plan.js";
import type { DatasetRun } from "../../src/dataset/dataset-run.js";
import { FolderRun } from "../../src/dataset/folder-run.js";
import { runFolders } from "../../src/dataset/names.js";
import type { BytesOptions } from "../../src/dataset/options.js";
import { shardRecord } from "../../src/dataset/records.js";
import { PosixStore } from "../../src/storage/posix-store.js";

/** Process that computes a dataset of two shards. */
export class Worker {
  readonly store: PosixStore;
  readonly run: DatasetRun;

  constructor(
    readonly out: string,
    { temperature = 1, Store = PosixStore } = {},
  ) {
    const plan = makePlan("/inputs", {
      options: { temperature } as BytesOptions,
      inputs: [{ name: "a", bytes: 1, modified: "1", rows: 2 }],
      leftOut: [],
      checksums: false,
      shards: [
        { input: 0, rowStart: 0, rowEnd: 1 },
        { input: 0, rowStart: 1, rowEnd: 2 },
      ],
    });
    const folders = runFolders(out, plan.fingerprint);
    this.store = new Store(folders.tmp);
    this.run = new FolderRun(this.store, folders, plan);
  }

  begin(overwrite = false): Promise<boolean> {
    return this.run.begin({ overwrite });
  }

  /** Writes a shard, and returns a function that commits it. */
  make(shard: number, text = `part ${shard}`) {
    const file = this.store.temporaryName();
    writeFileSync(file, text);
    const record = shardRecord(this.run.plan, shard, {
      rows: 1,
      bytes: text.length,
      sha256: sha256(new TextEncoder().encode(text)),
      badRows: 0,
      firstBadRow: null,
      entries: null,
      droppedMax: null,
      droppedSum: null,
    });
    return () => this.run.commit(file, record);
  }

  async finish(overwrite = false): Promise<void> {
    try {
      for (const shard of await this.run.missing()) await this.make(shard)();
    } catch (error) {
      // Publication by another worker removes the directory that temporary files are in.
      if (!(await this.run.isPublished())) throw error;
    }
    await this.run.publish({ overwrite });
  }

  async all(): Promise<void> {
    if (await this.begin()) await this.finish();
  }
}

/** Returns the directories of runs beside the output. */
export function besides(out: string): string[] {
  return readdirSync(dirname(out)).filter((name) =>
    name.startsWith(`${basename(out)}.__`),
  );
}
