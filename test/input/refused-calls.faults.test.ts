import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { copiedBuild } from "../support/copied-build.js";
import { stepOf } from "../support/every-call.js";
import { workDirectory } from "../support/logits-input.js";
import { isLinux } from "../support/machine.js";

// A call that the system refuses means nothing about the input: it is never damage, and never a reason to leave an input out.

const at = workDirectory();
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const preload = here("../support/refuse-calls.mjs");
const DIGITS = "../../data/digits-logits.arrow";
const PARQUET = "parquet/pyarrow-none.parquet";
/** The tests read /proc. */
const linux = test.skipIf(!isLinux);

const FORMATS: [name: string, source: string][] = [
  ["an Arrow file", DIGITS],
  ["a compressed Arrow file", "../fixtures/compressed-zstd.arrow"],
  ["a Parquet file", PARQUET],
  ["an .npy file", "arrays/written/f4.npy"],
  ["an .npy file that is decoded", "arrays/written/big-endian.npy"],
  ["an .npz file", "arrays/written/deflated.npz"],
  ["a safetensors file", "arrays/written/numpy.safetensors"],
];
const REFUSALS = [
  ["open", "EMFILE"],
  ["open", "ENOMEM"],
  ["fstat", "ESTALE"],
  ["read", "EIO"],
  ["read", "EAGAIN"],
] as const;

/** Runs a command in which a call on the files with this ending fails, from its nth time on. */
function softjac(
  args: string[],
  ending: string,
  call = "",
  code = "EIO",
  n = 1,
) {
  return spawnSync(process.execPath, ["--import", preload, CLI, ...args], {
    encoding: "utf8",
    env: {
      ...process.env,
      REFUSE_CALL: call,
      REFUSE_CODE: code,
      REFUSE_ENDING: ending,
      REFUSE_AT: `${n}`,
    },
  });
}

linux.for(FORMATS.map((format, turn) => [...format, turn] as const))(
  "%s: 74 for every refused call, and for one of them in datasets",
  ([, source, turn]) => {
    const ending = `refused-${basename(source)}`;
    const folder = at(`of ${ending}`);
    fs.mkdirSync(folder);
    const input = join(folder, ending);
    fs.copyFileSync(here(source), input);
    const output = at("out.arrow");
    for (const [k, [call, code]] of REFUSALS.entries()) {
      const args = ["run", input, "-o", output, "--force"];
      const one = softjac(args, ending, call, code);
      expect([one.status, one.stderr]).toEqual([
        74,
        expect.stringMatching(
          `^softjac: ${input}: could not be \\w+: ${code}, [^\\n]+\\n$`,
        ),
      ]);
      expect(fs.existsSync(output)).toBe(false);
      // All formats together take every call.
      if ((k + turn) % stepOf(REFUSALS.length) !== 0) continue;
      const flags = ["--keep-going", "--allow-missing", "--json"];
      const dataset = ["run", folder, "-o", at("out"), ...flags];
      const many = softjac(dataset, ending, call, code);
      expect([many.status, JSON.parse(many.stdout)]).toMatchObject([
        74,
        { skippedInputs: [], error: { code: "ERR_IO" } },
      ]);
    }
  },
);

linux(
  "75 if shards of the dataset are saved, and the same command continues",
  () => {
    const folder = at("dataset");
    fs.mkdirSync(folder);
    for (const name of ["a.npy", "b.npy"])
      fs.copyFileSync(here("arrays/written/f4.npy"), join(folder, name));
    const output = at("saved");
    const args = ["run", folder, "-o", output, "--shard-rows", "20", "--json"];
    expect(softjac(args, "b.npy")).toMatchObject({ status: 0 });
    fs.rmSync(output, { recursive: true });
    let stopped = 0;
    for (let n = 1; ; n += stepOf(2)) {
      const all = [...args, "--keep-going"];
      const { status, stdout } = softjac(all, "b.npy", "read", "EIO", n);
      if (status === 0) break;
      const { shardsUpToDate, shardsComputed, shards, ...report } =
        JSON.parse(stdout);
      const done = shardsUpToDate + shardsComputed;
      expect(report.skippedInputs).toEqual([]);
      expect(status).toBe(done > 0 ? 75 : 74);
      if (done === 0) continue;
      stopped++;
      expect(report.error.message).toBe(
        `${join(folder, "b.npy")}: could not be read: EIO, the device failed; check the disk or the network file system; ${done} of ${shards} shards are done; run the same command again to continue`,
      );
    }
    expect(stopped).toBeGreaterThan(0);
    expect(fs.readdirSync(output)).toContain("_SUCCESS");
  },
);

const NO_MEMORY =
  "could not be ACTION: ENOMEM, not enough memory or address space; close other programs or raise the limit (ulimit -v)";
const NO_WASM =
  "the system gives no memory for WebAssembly, which reserves about 10 GB of address space for each thread; raise the limit (ulimit -v), use fewer --threads, or write without --compress";

linux.for<[limit: string, status: number, message: string, ...line: string[]]>([
  [
    ...(["-n 24", 74] as const),
    "EMFILE, too many open files; raise the limit with ulimit -n",
    ...["inspect", here(PARQUET)],
  ],
  [
    ...(["-f 0", 74] as const),
    `${here("../fixtures/compressed-zstd.arrow")}: could not be copied to a temporary file: EFBIG, the file would exceed the size limit (ulimit -f, or the file system's)`,
    ...["inspect", here("../fixtures/compressed-zstd.arrow")],
  ],
  [
    ...(["-v 3000000", 74] as const),
    `${here(PARQUET)}: ${NO_MEMORY.replace("ACTION", "copied to a temporary file")}`,
    ...["inspect", here(PARQUET)],
  ],
  [
    ...(["-v 3000000", 74] as const),
    `${here("../fixtures/compressed-zstd.arrow")}: ${NO_MEMORY.replace("ACTION", "read")}`,
    ...["run", here("../fixtures/compressed-zstd.arrow"), "-q"],
    ...["-o", at("limited.arrow")],
  ],
  // With the higher limit the kernel has its memory, and nothing is left for the codec.
  ...["3000000", "14000000"].flatMap((limit) =>
    ["zstd", "lz4"].map(
      (codec) =>
        [
          ...([`-v ${limit}`, 78, `${codec}: ${NO_WASM}`] as const),
          ...["run", here(DIGITS), "-q", "-o", at("limited.arrow")],
          ...["--compress", codec],
        ] as [string, number, string, ...string[]],
    ),
  ),
])("ulimit %s: %i, %s", ([limit, status, message, ...line]) => {
  const command = [`ulimit ${limit}; exec "$0" "$@"`, process.execPath, CLI];
  const args = ["-c", ...command, ...line];
  const found = spawnSync("bash", args, { encoding: "utf8" });
  expect(found.stderr).toMatch(/^softjac: .*\n$/);
  expect(found.stderr).toContain(`${message}\n`);
  expect(found.status).toBe(status);
});

test.each<[asset: string, input: string, ...options: string[]]>([
  ["kernels.wasm", DIGITS],
  ["parquet.js", PARQUET],
  ["parquet.wasm", PARQUET],
  ["wasm-zstd.wasm", "parquet/pyarrow-zstd.parquet"],
  ["wasm-zstd.wasm", "../fixtures/compressed-zstd.arrow"],
  ["wasm-zstd.wasm", DIGITS, "--compress", "zstd"],
  // Threads start only for large inputs.
  ["rows.js", "large"],
  ["worker.js", "large"],
])(
  "without %s (for %s): 78 and how to repair it",
  async (name, from, ...more) => {
    const input = from === "large" ? at("large.arrow") : here(from);
    if (from === "large")
      await built.generate({
        ...{ output: input, rows: 20_000, classes: 100, force: true },
      });
    const copy = at("package");
    fs.rmSync(copy, { recursive: true, force: true });
    const dist = copiedBuild(copy);
    fs.rmSync(join(dist, name));
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(dist, "cli.js"), "run", input, "-o", at("none"), ...more],
      { encoding: "utf8" },
    );
    // The command may report its logits before.
    expect(stderr.replace(/^softjac: reading logits from .*\n/, "")).toBe(
      `softjac: ${join(dist, name)}: a file of softjac is missing; reinstall the package\n`,
    );
    expect(status).toBe(78);
  },
);
