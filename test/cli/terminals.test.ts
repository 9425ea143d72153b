import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, test } from "vitest";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { CLI, DIGITS, NO_SIMD, softjac, typed } from "./support.js";

// Standard output and standard error that are full or closed, and terminals that are closed.

const at = workDirectory();
const results = at("results.arrow");
expect(softjac("run", DIGITS, "-o", results).status).toBe(0);

const FULL = "/dev/full";
const hasFull = existsSync(FULL);

/** Runs the command with /dev/full as one of its streams. */
function withFull(fd: 1 | 2, ...args: string[]) {
  const full = openSync(FULL, "w");
  const stdio = ["ignore", "pipe", "pipe"] as ("ignore" | "pipe" | number)[];
  stdio[fd] = full;
  const found = spawnSync(process.execPath, [CLI, ...args], {
    encoding: "utf8",
    stdio,
  });
  closeSync(full);
  return found;
}

const NO_SPACE =
  "softjac: standard output: could not be written: ENOSPC, no space left on its device\n";

test
  .skipIf(!hasFull)
  .each([
    [["--version"]],
    [["--help"]],
    [["run", "--help"]],
    [["completion", "bash"]],
    [["inspect", DIGITS]],
    [["inspect", DIGITS, "--json"]],
    [["show", results, "--row", "2"]],
    [["run", DIGITS, "-o", at("dry.arrow"), "--dry-run"]],
    [["run", DIGITS, "-o", at("json.arrow"), "--json"]],
    [["run", DIGITS, "-o", "-"]],
  ])(
  "standard output is full: exits with 74 and prints one line %j",
  (args) => {
    const { status, stderr } = withFull(1, ...args);
    expect(status).toBe(74);
    // A run names its logits first.
    expect(stderr.replace(/^softjac: reading logits from .*\n/, "")).toBe(
      NO_SPACE,
    );
  },
);

test.skipIf(!hasFull)(
  "standard output is full and the command fails: reports the error of the command",
  () => {
    const args = ["run", at("none"), "-o", at("none.arrow"), "--json"];
    expect(withFull(1, ...args)).toMatchObject({
      status: 66,
      stderr: `softjac: ${at("none")}: no such file or directory\n`,
    });
  },
);

test
  .skipIf(!hasFull)
  .each([[["--log-format", "human"]], [["--log-format", "json"]]])(
  "standard error is full: the output is complete and the exit code is 0 %j",
  (args) => {
    const output = at(`log-${args[1]}.arrow`);
    const found = withFull(2, "run", DIGITS, "-o", output, "--json", ...args);
    expect(found.status).toBe(0);
    expect(JSON.parse(found.stdout)).toMatchObject({ status: "done" });
    expect(softjac("verify", output, "-i", DIGITS).status).toBe(0);
  },
);

const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0;

/** Runs a Python script that starts the command, and returns the script's output. */
function python(script: string, ...args: string[]): string {
  const { stdout, stderr } = spawnSync("python3", ["-c", script, ...args], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  return stdout.trim();
}

test.skipIf(!hasPython).each([["human"], ["json"]])(
  "standard error is a full pipe: a signal after the output is complete exits with 0 (%s)",
  (format) => {
    // The file exists once the exit code is set and only log lines remain to be written.
    const preload = at("says-exit-code.mjs");
    writeFileSync(
      preload,
      `import { writeFileSync } from "node:fs";
       const timer = setInterval(() => {
         if (process.exitCode === undefined) return;
         clearInterval(timer);
         writeFileSync(process.env.SAYS_EXIT_CODE, "");
       }, 2).unref();`,
    );
    const script = `
import os, signal, subprocess, sys, time
done, *command = sys.argv[1:]
_, pipe = os.pipe()
os.set_blocking(pipe, False)
for size in 4096, 1:
    try:
        while True:
            os.write(pipe, bytes(size))
    except BlockingIOError:
        pass
os.set_blocking(pipe, True)
child = subprocess.Popen(command, stderr=pipe, env={**os.environ, "SAYS_EXIT_CODE": done})
while not os.path.exists(done):
    assert child.poll() is None
    time.sleep(0.005)
child.send_signal(signal.SIGTERM)
print(child.wait(20))`;
    const [output, done] = [at(`p-${format}.arrow`), at(`p-${format}.done`)];
    const run = ["run", DIGITS, "-o", output, "--log-format", format];
    const command = [process.execPath, "--import", preload, CLI, ...run];
    expect(python(script, done, ...command)).toBe("0");
    expect(softjac("verify", output, "-i", DIGITS).status).toBe(0);
  },
);

describe.skipIf(!hasPython)("a terminal", () => {
  const large = at("large.arrow");
  writeLogits(large, {
    rows: 60_000,
    classes: 31,
    dtype: "float32",
    logit: (r, k) => ((r * 7 + k) % 13) / 3,
  });

  test("that is closed: exits with 129 and leaves no core dump or temporary file", () => {
    // Closes the terminal once the temporary file exists.
    const script = `
import os, pty, sys, time
folder, *command = sys.argv[1:]
child, terminal = pty.fork()
if child == 0:
    os.execvp(command[0], command)
while not any(".tmp" in name for name in os.listdir(folder)):
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    time.sleep(0.005)
os.close(terminal)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), os.WCOREDUMP(status))`;
    const args = ["run", large, "-o", at("closed.arrow")];
    const command = [
      ...[process.execPath, "--import", NO_SIMD, CLI],
      ...[...args, "--chunk-rows", "50"],
    ];
    expect(python(script, at("."), ...command)).toBe("129 False");
    expect(readdirSync(at(".")).filter((name) => /closed/.test(name))).toEqual(
      [],
    );
  });

  test("that is full: a signal ends a command that writes to it", () => {
    // Prints more than a terminal buffers; the signal follows the first bytes.
    const script = `
import os, pty, select, signal, sys
child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
select.select([terminal], [], [])
os.kill(child, signal.SIGTERM)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))`;
    const wide = at("wide.arrow");
    writeLogits(wide, { rows: 2, classes: 100, logit: (r, k) => r + k / 9 });
    const made = typed`run ${wide} -o ${at("w.arrow")} --layout factored`;
    expect(made.status, made.stderr).toBe(0);
    const args = ["show", at("w.arrow"), "--row", "1", "--classes", "100"];
    const found = python(script, process.execPath, CLI, ...args, "--json");
    expect(found).toBe("143");
  });
});

describe("a signal during start-up", () => {
  // The thread of Node's loader hooks sends it while the modules of the command are being loaded.
  const hooks = at("hooks.mjs");
  writeFileSync(
    hooks,
    `export async function load(url, context, next) {
       if (url.includes("index-shared")) process.kill(process.pid, "SIGTERM");
       return next(url, context);
     }`,
  );
  const preload = at("preload.mjs");
  writeFileSync(
    preload,
    `import { register } from "node:module"; register(${JSON.stringify(`file://${hooks}`)});`,
  );
  const early = (...args: string[]) =>
    spawnSync(process.execPath, ["--import", preload, CLI, ...args], {
      encoding: "utf8",
    });

  test("of a run over a file exits with 143, as later", () => {
    const found = early("run", DIGITS, "-o", at("early.arrow"));
    expect(found).toMatchObject({
      status: 143,
      stderr:
        "softjac: the run was stopped before it was complete; nothing was written\n",
    });
    expect(existsSync(at("early.arrow"))).toBe(false);
  });

  test("of a run over a dataset exits with 75, as later", () => {
    const folder = at("inputs");
    mkdirSync(folder);
    copyFileSync(DIGITS, `${folder}/digits.arrow`);
    const run = [folder, "-o", `${at("dataset")}/`, "--shard-rows", "1000"];
    expect(early("run", ...run)).toMatchObject({
      status: 75,
      stderr: expect.stringContaining(
        "stopped before the plan was made or read; run the same command again\n",
      ),
    });
    expect(softjac("run", ...run).status).toBe(0);
  });
});

test("an uncaught error prints one line, removes the temporary file and exits with 70", async () => {
  const output = at("uncaught.arrow");
  const preload = at("throws.mjs");
  // Throws once the output is being written.
  writeFileSync(
    preload,
    `import fs from "node:fs";
     import { syncBuiltinESMExports } from "node:module";
     const { ftruncateSync } = fs;
     fs.ftruncateSync = (...args) => {
       setImmediate(() => { throw new Error("x".repeat(5000)); });
       return ftruncateSync(...args);
     };
     syncBuiltinESMExports();`,
  );
  const args = ["--import", preload, CLI, "run", DIGITS, "-o", output];
  const child = spawn(process.execPath, args);
  let stderr = "";
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const [code] = await once(child, "close");
  expect(stderr.split("\n").slice(1).join("\n")).toBe(
    `softjac: internal error: ${"x".repeat(1400)} … ${"x".repeat(500)} (please report it; NODE_DEBUG=softjac prints the stack)\n`,
  );
  expect(code).toBe(70);
  expect(
    readdirSync(at(".")).filter((name) => name.includes("uncaught")),
  ).toEqual([]);
});
