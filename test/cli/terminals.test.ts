import { type StdioOptions, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, test } from "vitest";
import { workDirectory } from "../support/logits-input.js";
import { CLI, DIGITS, NO_SIMD, softjac, typed } from "./support.js";

// Standard output and standard error that are full or closed, and terminals that are closed.

const at = workDirectory();

/** Writes a module that a command loads first. */
function preloadOf(name: string, script: string): string {
  writeFileSync(at(`${name}.mjs`), script);
  return at(`${name}.mjs`);
}

function runWith(preload: string, ...words: string[]) {
  const args = ["--import", preload, CLI, ...words];
  return spawnSync(process.execPath, args, { encoding: "utf8" });
}

const filesOf = (name: string) =>
  readdirSync(at(".")).filter((file) => file.includes(name));

const FULL = "/dev/full";
const withFullTest = test.skipIf(!existsSync(FULL));

/** Runs the command with /dev/full as one of its streams. */
function withFull(fd: 1 | 2, line: string) {
  const full = openSync(FULL, "w");
  const stdio: StdioOptions = ["ignore", "pipe", "pipe"];
  stdio[fd] = full;
  const words = [CLI, ...line.split(" ")];
  const found = spawnSync(process.execPath, words, { encoding: "utf8", stdio });
  closeSync(full);
  return found;
}

withFullTest.each([
  "--version",
  "--help",
  "completion bash",
  `inspect ${DIGITS}`,
  `run ${DIGITS} -o ${at("dry.arrow")} --dry-run`,
  `run ${DIGITS} -o ${at("json.arrow")} --json`,
  `run ${DIGITS} -o -`,
])("standard output is full: softjac %s exits with 74", (line) => {
  const { status, stderr } = withFull(1, line);
  // A run names its logits first.
  expect(stderr.replace(/^softjac: reading logits from .*\n/, "")).toBe(
    "softjac: standard output: could not be written: ENOSPC, no space left on its device\n",
  );
  expect(status).toBe(74);
});

withFullTest(
  "standard output is full: an error of the command comes first",
  () => {
    const line = `run ${at("none")} -o ${at("none.arrow")} --json`;
    expect(withFull(1, line)).toMatchObject({
      status: 66,
      stderr: `softjac: ${at("none")}: no such file or directory\n`,
    });
  },
);

withFullTest.each(["human", "json"])(
  "standard error is full: the output is complete and the exit code is 0 (%s)",
  (format) => {
    const output = at(`log-${format}.arrow`);
    const line = `run ${DIGITS} -o ${output} --json --log-format ${format}`;
    const { status, stdout } = withFull(2, line);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: "done" });
    expect(typed`verify ${output} -i ${DIGITS}`.status).toBe(0);
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
    const preload = preloadOf(
      "says-exit-code",
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
  test("that is closed: exits with 129 and leaves no core dump or temporary file", () => {
    const large = at("large.arrow");
    typed`generate ${large} --rows 60000 --classes 31`;
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
    const run = ["run", large, "-o", at("closed.arrow"), "--chunk-rows", "50"];
    const command = [process.execPath, "--import", NO_SIMD, CLI, ...run];
    expect(python(script, at("."), ...command)).toBe("129 False");
    expect(filesOf("closed")).toEqual([]);
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
    typed`generate ${wide} --rows 2 --classes 100`;
    const made = typed`run ${wide} -o ${at("w.arrow")} --layout factored`;
    expect(made.status, made.stderr).toBe(0);
    const args = ["show", at("w.arrow"), "--row", "1", "--classes", "100"];
    const found = python(script, process.execPath, CLI, ...args, "--json");
    expect(found).toBe("143");
  });
});

describe("a signal during start-up", () => {
  // It is sent before the modules of the command are loaded.
  const preload = preloadOf(
    "early",
    `import { Module } from "node:module";
     const load = Module._load;
     let sent = false;
     Module._load = function (request, ...rest) {
       if (request.includes("index-shared") && !sent) {
         sent = process.kill(process.pid, "SIGTERM");
         // Another thread may receive it a little later.
         Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
       }
       return load.call(this, request, ...rest);
     };`,
  );

  test("of a run over a file exits with 143, as later", () => {
    const run = ["run", DIGITS, "-o", at("started.arrow")];
    expect(runWith(preload, ...run)).toMatchObject({
      status: 143,
      stderr:
        "softjac: the run was stopped before it was complete; nothing was written\n",
    });
    expect(filesOf("started")).toEqual([]);
  });

  test("of a run over a dataset exits with 75, as later", () => {
    const run = ["run", DIGITS, "-o", `${at("dataset")}/`];
    expect(runWith(preload, ...run)).toMatchObject({
      status: 75,
      stderr: expect.stringContaining(
        "stopped before the plan was made or read; run the same command again\n",
      ),
    });
    expect(softjac(...run).status).toBe(0);
  });
});

test("an uncaught error prints one line, removes the temporary file and exits with 70", () => {
  // Throws once the output is being written.
  const preload = preloadOf(
    "throws",
    `import fs from "node:fs";
     import { syncBuiltinESMExports } from "node:module";
     const { ftruncateSync } = fs;
     fs.ftruncateSync = (...args) => {
       setImmediate(() => { throw new Error("x".repeat(5000)); });
       return ftruncateSync(...args);
     };
     syncBuiltinESMExports();`,
  );
  const words = ["run", DIGITS, "-o", at("uncaught.arrow"), "--quiet"];
  expect(runWith(preload, ...words)).toMatchObject({
    status: 70,
    stderr: `softjac: internal error: ${"x".repeat(1400)} … ${"x".repeat(500)} (please report it; NODE_DEBUG=softjac prints the stack)\n`,
  });
  expect(filesOf("uncaught")).toEqual([]);
});
