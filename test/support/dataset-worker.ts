import { readdirSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { expect } from "vitest";
import { runFolders, shardRecord } from "../../src/dataset/dataset-files.js";
import { makePlan, sha256 } from "../../src/dataset/dataset-plan.js";
import { FolderRun } from "../../src/dataset/folder-run.js";
import type { BytesOptions } from "../../src/dataset/options.js";
import { PosixStore } from "../../src/storage/posix-store.js";

/** Fields of the record of a shard of one row with these bytes. */
export function resultOf(bytes: Uint8Array) {
  return {
    ...{ rows: 1, bytes: bytes.byteLength, sha256: sha256(bytes), badRows: 0 },
    ...{ firstBadRow: null, entries: null, droppedMax: null, droppedSum: null },
  };
}

/** Process that computes a dataset of two shards. */
export class Worker {
  readonly store: PosixStore;
  readonly run: FolderRun;

  constructor(
    readonly out: string,
    { temperature = 1, Store = PosixStore } = {},
  ) {
    const plan = makePlan("/inputs", {
      options: { temperature } as BytesOptions,
      inputs: [{ name: "a", bytes: 1, modified: "1", rows: 2 }],
      leftOut: [],
      checksums: false,
      shards: [0, 1].map((k) => ({ input: 0, rowStart: k, rowEnd: k + 1 })),
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
    const result = resultOf(new TextEncoder().encode(text));
    const record = shardRecord(this.run.plan, shard, result);
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

  async all(overwrite = false): Promise<void> {
    if (await this.begin(overwrite)) await this.finish(overwrite);
  }

  /** Expects that this worker's dataset is published, and that no directory of a run is left beside it. */
  async expectPublished(where?: string): Promise<void> {
    expect(await this.run.isPublished(), where).toBe(true);
    const left = readdirSync(dirname(this.out)).filter((name) =>
      name.startsWith(`${basename(this.out)}.__`),
    );
    expect(left, where).toEqual([]);
  }
}
