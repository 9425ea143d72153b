import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { tableFromIPC } from "@uwdata/flechette";
import { RecordBatchReader } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { CLI, DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { writeKept } from "../support/kept-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const kept = at("kept.arrow");
writeKept(kept, 20);
const large = at("large.arrow");
// More than the 64 MiB from which threads make bsr, and of more than one record batch.
writeLogits(large, {
  rows: 20_000,
  classes: 20,
  batchRows: [6000],
  logit: (r, k) => (r % 1000 === 77 && k === 3 ? NaN : Math.sin(r * k)),
});

/** Runs the command, and returns what `read` makes of what it writes to a pipe. */
async function piped<Result>(
  args: string[],
  read: (stdout: NodeJS.ReadableStream) => Promise<Result>,
): Promise<{ read: Result; code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [CLI, "run", ...args, "-o", "-"]);
  let stderr = "";
  child.stderr.on("data", (piece) => {
    stderr += piece;
  });
  const closed = once(child, "close");
  const result = await read(child.stdout);
  const [code] = await closed;
  return { read: result, code, stderr };
}

async function readAll(stdout: NodeJS.ReadableStream): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stdout) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

/** Compares a stream with `expected` as it comes, since to keep large ones takes longer than to compare them. */
function compareWith(expected: Buffer) {
  return async (stdout: NodeJS.ReadableStream) => {
    let length = 0;
    let areSame = true;
    for await (const piece of stdout as AsyncIterable<Buffer>) {
      const end = length + piece.length;
      areSame &&= piece.equals(expected.subarray(length, end));
      length = end;
    }
    return { length, areSame };
  };
}

/** The bytes of a file between its magic and its end marker, which are those of the stream of the same batches. */
async function insideOf(
  input: string,
  options: Record<string, unknown>,
): Promise<Buffer> {
  const output = at("out.arrow");
  await built.run({ input, output, force: true, ...options });
  const bytes = readFileSync(output);
  const footerBytes = bytes.readInt32LE(bytes.length - 10);
  return bytes.subarray(8, bytes.length - 10 - footerBytes);
}

describe("the stream has the bytes of the file", () => {
  test.each([
    [kept, ["--keep", "id,name,split,flag,bytes,middle"]],
    [kept, ["--keep", "kind", "--layout", "csr"]],
    [DIGITS, ["--layout", "packed"]],
    [DIGITS, ["--layout", "coo", "--top-k", "5"]],
    [DIGITS, ["--layout", "factored", "--threads", "1"]],
    [large, ["--on-bad-row", "null"]],
    [large, ["--on-bad-row", "skip", "--chunk-rows", "100"]],
    [
      large,
      [
        ...["--on-bad-row", "skip", "--layout", "csr", "--threads", "3"],
        ...["--top-k", "200"],
      ],
    ],
  ])("%s %j", async (input, args) => {
    const options: Record<string, unknown> = {};
    for (let k = 0; k < args.length; k += 2) {
      const name = (args[k] as string)
        .slice(2)
        .replace(/-([a-z])/g, (_, letter) => letter.toUpperCase());
      const value = args[k + 1] as string;
      options[name] =
        name === "keep"
          ? value.split(",")
          : /^\d+$/.test(value)
            ? Number(value)
            : value;
    }
    const expected = await insideOf(input, options);
    const { read, code } = await piped([input, ...args], compareWith(expected));
    expect(code).toBe(0);
    expect(read).toEqual({ length: expected.length, areSame: true });
  });

  test("more of it than is in memory at once, dense zeros too", async () => {
    const input = at("few.arrow");
    writeLogits(input, {
      rows: 500,
      classes: 8,
      logit: (r, k) => Math.cos(r * k),
    });
    const dense = ["--layout", "dense", "--emit", "jacobian"];
    const expected = await insideOf(input, {
      layout: "dense",
      emit: ["jacobian"],
    });
    expect(expected.length).toBeGreaterThan(100e6);
    const { read } = await piped([input, ...dense], compareWith(expected));
    expect(read).toEqual({ length: expected.length, areSame: true });
  });
});

test("other readers read it, as it comes", async () => {
  const run = [DIGITS, "--keep", "split"];
  const { read: bytes, stderr } = await piped(run, readAll);
  expect(stderr).toMatch(
    /^softjac: reading logits from logits \(float32, 10 classes\)\nstandard output\n {2}rows +1,797 x 10 classes\n/,
  );
  const source = tableFromIPC(readFileSync(DIGITS));
  const logits = [...source.getChild("logits")].flatMap((list) => [...list]);
  const p = built.softmax(Float32Array.from(logits), {
    rows: 1797,
    classes: 10,
  });
  const table = tableFromIPC(bytes);
  const column = (name: string) => [...table.getChild(name)];
  expect(column("row").map(Number)).toEqual([...p.keys()].slice(0, 1797));
  expect(column("split")).toEqual([...source.getChild("split")]);
  expect(column("softmax").flatMap((list) => [...list])).toEqual([
    ...Float32Array.from(p),
  ]);
  let count = 0;
  for (const batch of RecordBatchReader.from(bytes)) {
    const found = batch.getChild("softmax")?.get(0).toArray();
    expect([...found]).toEqual([
      ...Float32Array.from(p.subarray(10 * count, 10 * count + 10)),
    ]);
    count += batch.numRows;
  }
  expect(count).toBe(1797);
});

test("a saved stream is verified, and read back", async () => {
  const saved = at("saved.arrows");
  const fd = openSync(saved, "w");
  const child = spawn(
    process.execPath,
    [CLI, "run", DIGITS, "-o", "-", "--quiet"],
    { stdio: ["ignore", fd, "inherit"] },
  );
  const [code] = await once(child, "close");
  closeSync(fd);
  expect(code).toBe(0);
  const report = await built.verify({
    output: saved,
    input: DIGITS,
    all: true,
  });
  expect(report).toMatchObject({ ok: true, problems: [] });
  expect(report.bytes).toEqual({
    compared: false,
    message: "bytes not compared: the output is a stream, and runs write files",
  });
  const reader = await built.openJacobian(saved);
  expect(reader.rows).toBe(1797);
  await reader.close();
});

test("a bad row ends it without an end marker, and with 65", async () => {
  const run = [large, "--chunk-rows", "500"];
  const { read: bytes, code, stderr } = await piped(run, readAll);
  expect(code).toBe(65);
  expect(stderr).toMatch(/row 77: expected finite logits .+, found NaN/);
  expect(bytes.subarray(-8).toString("hex")).not.toBe("ffffffff00000000");
});

describe("whoever reads it", () => {
  test.each([[[]], [["--layout", "coo"]]])(
    "goes early: quiet, and no failure %j",
    async (args) => {
      const { code, stderr } = await piped(
        [large, "--on-bad-row", "skip", ...args],
        async (stdout) => {
          await once(stdout, "data");
          (stdout as unknown as { destroy(): void }).destroy();
        },
      );
      expect(stderr).toBe(
        "softjac: reading logits from logits (float64, 20 classes)\n",
      );
      expect(code).toBe(0);
    },
  );

  test.each([[[]], [["--layout", "coo"]]])(
    "does not read: a signal ends it at once %j",
    async (args) => {
      const child = spawn(
        process.execPath,
        [CLI, "run", large, "-o", "-", "--on-bad-row", "skip", ...args],
        { stdio: ["ignore", "pipe", "pipe"] },
      );
      await once(child.stdout, "readable");
      child.kill("SIGTERM");
      // Not by the exit code 143: a write to a pipe that nobody reads would keep the process from exiting.
      expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
      child.stdout.destroy();
    },
  );
});

test.each([
  [
    ["--json"],
    "--json prints the report on standard output, where the results go with -o -; use --report FILE instead",
  ],
  [["--force"], "force: has no effect on standard output; remove it"],
])("%j is refused", (args, message) => {
  const { status, stdout, stderr } = softjac("run", DIGITS, "-o", "-", ...args);
  expect(status).toBe(64);
  expect(stdout).toBe("");
  expect(stderr).toMatch(message);
});

test("nothing is left beside the inputs", () => {
  const left = readdirSync(dirname(kept)).filter((name) => /^[.-]/.test(name));
  expect(left).toEqual([]);
});
