import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CLI, DIGITS } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";
import { isLinux } from "../support/machine.js";
import { untilItReads } from "../support/until-it-reads.js";

const at = workDirectory();

test.skipIf(!isLinux)(
  "killed while it copies piped input: no file is left",
  async () => {
    const [temporary, beside] = [at("tmp"), at("out")];
    for (const folder of [temporary, beside]) mkdirSync(folder);
    const args = ["run", "-", "-o", `${beside}/out.arrow`];
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { ...process.env, TMPDIR: temporary },
    });
    const ended = once(child, "exit");
    child.stdin.on("error", () => {});
    // The rest of the input never comes.
    child.stdin.write(readFileSync(DIGITS).subarray(0, 5000));
    await untilItReads(child.pid as number);
    child.kill("SIGKILL");
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(readdirSync(beside)).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  },
);
