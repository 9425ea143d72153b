import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { workDirectory } from "../support/logits-input.js";
import { isLinux } from "../support/machine.js";

// A call that the system refuses says nothing about the input: it is never damage, and never a reason to leave an input out.

const at = workDirectory();
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const preload = here("../support/refuse-calls.mjs");
/** The tests look into /proc. */
const linux = test.skipIf(!isLinux);

const FORMATS: Record<string, string> = {
  "an Arrow file": "../../data/digits-logits.arrow",
  "a compressed Arrow file": "../fixtures/compressed-zstd.arrow",
  "a Parquet file": "parquet/pyarrow-none.parquet",
  "an .npy file": "arrays/written/f4.npy",
  "an .npy file that is decoded": "arrays/written/big-endian.npy",
  "an .npz file": "arrays/written/deflated.npz",
  "a safetensors file": "arrays/written/numpy.safetensors",
};
const REFUSALS = [
  ["open", "EMFILE"],
  ["open", "ENOMEM"],
  ["fstat", "ESTALE"],
  ["read", "EIO"],
  ["read", "EAGAIN"],
] as const;

interface Refusal {
  call: string;
  code: string;
  ending: string;
  from?: number;
}

function softjac(args: string[], { call, code, ending, from = 1 }: Refusal) {
  return spawnSync(process.execPath, ["--import", preload, CLI, ...args], {
    encoding: "utf8",
    env: {
      ...process.env,
      REFUSE_CALL: call,
      REFUSE_CODE: code,
      REFUSE_ENDING: ending,
      REFUSE_AT: `${from}`,
    },
  });
}

for (const [turn, [name, source]] of Object.entries(FORMATS).entries()) {
  const path = here(source);
  linux(
    `${name}: 74 for every refused call, and for one of them in datasets`,
    () => {
      const folder = at(`of ${basename(path)}`);
      mkdirSync(folder);
      const ending = `refused-${basename(path)}`;
      const input = join(folder, ending);
      copyFileSync(path, input);
      const output = at("out.arrow");
      for (const [k, [call, code]] of REFUSALS.entries()) {
        const refusal = { call, code, ending };
        const one = softjac(["run", input, "-o", output, "--force"], refusal);
        const where = `${call} ${code}: ${one.stderr}`;
        expect(one.status, where).toBe(74);
        expect(one.stderr, where).toMatch(
          new RegExp(
            `^softjac: ${input}: could not be \\w+: ${code}, [^\\n]+\\n$`,
          ),
        );
        expect(existsSync(output), where).toBe(false);
        // All formats together take every call.
        if ((k + turn) % stepOf(REFUSALS.length) !== 0) continue;
        const args = ["run", folder, "-o", at("out"), "--keep-going", "--json"];
        const many = softjac([...args, "--allow-missing"], refusal);
        expect(many.status, where).toBe(74);
        expect(JSON.parse(many.stdout), where).toMatchObject({
          skippedInputs: [],
          error: { code: "ERR_IO" },
        });
      }
    },
    120_000,
  );
}

linux(
  "75 where shards of the dataset are saved, and the same command goes on",
  () => {
    const folder = at("dataset");
    mkdirSync(folder);
    for (const name of ["a.npy", "b.npy"])
      copyFileSync(here("arrays/written/f4.npy"), join(folder, name));
    const output = at("saved");
    const args = ["run", folder, "-o", output, "--shard-rows", "20", "--json"];
    const plain = softjac([...args], {
      call: "",
      code: "EIO",
      ending: "b.npy",
    });
    expect(plain.status, plain.stderr).toBe(0);
    rmSync(output, { recursive: true });
    let stopped = 0;
    for (let from = 1; ; from += stepOf(2)) {
      const refusal = { call: "read", code: "EIO", ending: "b.npy", from };
      const { status, stdout } = softjac([...args, "--keep-going"], refusal);
      if (status === 0) break;
      const { shardsUpToDate, shardsComputed, shards, skippedInputs, error } =
        JSON.parse(stdout);
      const done = shardsUpToDate + shardsComputed;
      expect(skippedInputs).toEqual([]);
      expect(status).toBe(done > 0 ? 75 : 74);
      if (done === 0) continue;
      stopped++;
      expect(error.message).toBe(
        `${join(folder, "b.npy")}: could not be read: EIO, the device failed; check the disk or the network file system; ${done} of ${shards} shards are done; run the same command again to continue`,
      );
    }
    expect(stopped).toBeGreaterThan(0);
    expect(readdirSync(output)).toContain("_SUCCESS");
  },
  120_000,
);

linux("too few file descriptors for the Parquet decoder: 74", () => {
  const command = `ulimit -n 24; exec "$0" "$@"`;
  const input = here("parquet/pyarrow-none.parquet");
  const { status, stderr } = spawnSync(
    "bash",
    ["-c", command, process.execPath, CLI, "inspect", input],
    { encoding: "utf8" },
  );
  expect(stderr).toMatch(
    /EMFILE, too many open files; raise the limit with ulimit -n\n$/,
  );
  expect(status).toBe(74);
});

const ASSETS = [
  ["kernels.wasm", "../../data/digits-logits.arrow", []],
  ["parquet.js", "parquet/pyarrow-none.parquet", []],
  ["parquet.wasm", "parquet/pyarrow-none.parquet", []],
  ["wasm-zstd.wasm", "parquet/pyarrow-zstd.parquet", []],
  ["wasm-zstd.wasm", "../fixtures/compressed-zstd.arrow", []],
  ["wasm-zstd.wasm", "../../data/digits-logits.arrow", ["--compress", "zstd"]],
  ["worker.cjs", "large", []],
] as const;

test.each(ASSETS)(
  "without %s (for %s): 78 and how to repair it",
  async (name, from, more) => {
    // Threads start for large inputs alone.
    const input = from === "large" ? at("large.arrow") : here(from);
    if (from === "large")
      await built.generate({ output: input, rows: 20_000, classes: 100 });
    const copy = at("package");
    rmSync(copy, { recursive: true, force: true });
    cpSync(dirname(CLI), join(copy, "dist"), { recursive: true });
    copyFileSync(here("../../package.json"), join(copy, "package.json"));
    symlinkSync(here("../../node_modules"), join(copy, "node_modules"));
    rmSync(join(copy, "dist", name));
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(copy, "dist/cli.js"), "run", input, "-o", at("none"), ...more],
      { encoding: "utf8" },
    );
    // A run may have named its logits before.
    expect(stderr.replace(/^softjac: reading logits from .*\n/, "")).toBe(
      `softjac: ${join(copy, "dist", name)}: a file of softjac is missing; reinstall the package\n`,
    );
    expect(status).toBe(78);
  },
);
