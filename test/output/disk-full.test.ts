import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

test("ENOSPC in the middle of writing is an IoError of the output", async () => {
  const mount = at("small");
  mkdirSync(mount);
  const mounted = spawnSync("mount", [
    "-t",
    "tmpfs",
    "-o",
    "size=1m",
    "tmpfs",
    mount,
  ]);
  if (mounted.status !== 0) {
    console.log("disk full: 1 test left out (no right to mount a small tmpfs)");
    return;
  }
  const { openPending, ioError } = await import("../../src/output/commit.js");
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
    spawnSync("umount", [mount]);
  }
});
