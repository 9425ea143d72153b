import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { canMount, mountSmall, unmount } from "../support/machine.js";

const at = workDirectory();
const withMount = test.skipIf(!canMount());

withMount(
  "ENOSPC in the middle of writing is an IoError of the output",
  async () => {
    const mount = at("small");
    expect(mountSmall(mount, "1m")).toBe(true);
    const { openPending } = await import("../../src/output/commit.js");
    const { ioError } = await import("../../src/io/system-error.js");
    const { writeFully } = await import("../../src/io/positional.js");
    try {
      const path = `${mount}/out.arrow`;
      const output = await openPending(path, 1 << 19, {
        force: false,
        sync: true,
      });
      writeFileSync(`${mount}/other`, new Uint8Array(3 << 18));
      const failure = () => {
        try {
          writeFully(output.fd, new Uint8Array(1 << 19), 0);
        } catch (error) {
          throw ioError(path, "could not be written", error);
        }
      };
      expect(failure).toThrow(
        `${path}: could not be written: ENOSPC, no space left on its device`,
      );
      await output.discard();
      expect(readdirSync(mount)).toEqual(["other"]);
    } finally {
      unmount(mount);
    }
  },
);

withMount(
  "a run whose size is not known before, and that fills the disk, ends with one sentence, and leaves nothing",
  async () => {
    const input = at("in.arrow");
    writeLogits(input, {
      rows: 5000,
      classes: 10,
      logit: (r, k) => Math.sin(r * r + k),
    });
    const mount = at("small-2");
    expect(mountSmall(mount, "1m")).toBe(true);
    try {
      const output = `${mount}/out.arrow`;
      for (const options of [
        { layout: "coo" },
        { layout: "csr" },
        { layout: "csr", compress: "lz4" },
        { layout: "bsr", compress: "zstd" },
      ] as const)
        await expect(
          built.run({ input, output, threads: 2, ...options }),
        ).rejects.toMatchObject({
          code: "ERR_IO",
          message: `${output}: could not be written: ENOSPC, no space left on its device`,
        });
      expect(readdirSync(mount)).toEqual([]);
    } finally {
      unmount(mount);
    }
  },
);

withMount(
  "a dataset that fills the disk keeps its parts, and goes on when there is room",
  async () => {
    const input = at("in.arrow");
    writeLogits(input, {
      rows: 5000,
      classes: 10,
      logit: (r, k) => Math.sin(r * r + k),
    });
    const mount = at("small-3");
    expect(mountSmall(mount, "1m")).toBe(true);
    try {
      const output = `${mount}/out`;
      const options = { inputs: [input], output, shardRows: 400 };
      await expect(built.runDataset(options)).rejects.toMatchObject({
        code: "ERR_STOPPED",
        message: expect.stringMatching(/not enough disk space|no space left/),
      });
      const { shardsDone, shards } = await built.dryRunDataset(options);
      expect(shardsDone).toBeGreaterThan(0);
      expect(shardsDone).toBeLessThan(shards);
      const [tmp] = readdirSync(mount).filter((name) => name.includes("__tmp"));
      expect(readdirSync(`${mount}/${tmp}`)).toEqual([]);
      spawnSync("mount", ["-o", "remount,size=64m", mount]);
      const report = await built.runDataset(options);
      expect(report).toMatchObject({
        status: "done",
        shardsUpToDate: shardsDone,
      });
      expect(readdirSync(mount)).toEqual(["out"]);
    } finally {
      unmount(mount);
    }
  },
);
