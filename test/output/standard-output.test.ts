import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { CLI, DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { writeKept } from "../support/kept-input.js";
import { runsIn, verifyAll } from "../support/runs.js";

const { at, run, write, files } = runsIn();
const kept = at("kept.arrow");
writeKept(kept, 20);
// More than the 64 MiB from which threads make bsr, and of more than one record batch.
const logit = (r: number, k: number) =>
  r % 1000 === 77 && k === 3 ? NaN : Math.sin(r * k);
const many = { rows: 20_000, classes: 20, batchRows: [6000], logit };
const large = write(many, at("large.arrow"));

/** Runs the command, and returns what `read` makes of what it writes to a pipe. */
async function piped<Result>(
  args: string[],
  read: (stdout: NodeJS.ReadableStream) => Promise<Result>,
) {
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

describe("the stream has the bytes of the file, without magic and footer", () => {
  const logit = (r: number, k: number) => Math.cos(r * k);
  const few = write({ rows: 500, classes: 8, logit }, at("few.arrow"));
  const copied = ["id", "name", "split", "flag", "bytes", "middle"];
  test.each<[string, Partial<RunOptions>]>([
    [kept, { keep: copied }],
    [kept, { keep: ["kind"], layout: "csr" }],
    [DIGITS, { layout: "packed" }],
    [DIGITS, { layout: "coo", topK: 5 }],
    [DIGITS, { layout: "factored", threads: 1 }],
    [DIGITS, { compress: "zstd" }],
    [large, { onBadRow: "null", compress: "lz4" }],
    [large, { onBadRow: "null" }],
    [large, { onBadRow: "skip", chunkRows: 100 }],
    [large, { onBadRow: "skip", layout: "csr", threads: 3, topK: 200 }],
    // More than is in memory at once, and zeros between the blocks.
    [few, { layout: "dense", emit: ["jacobian"] }],
  ])("%s %j", async (input, options) => {
    const { bytes } = await run({ input, ...options });
    const end = bytes.length - 10;
    const expected = bytes.subarray(8, end - bytes.readInt32LE(end));
    if (input === few) expect(expected.length).toBeGreaterThan(100e6);
    const args = Object.entries(options).flatMap(([name, value]) => [
      `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
      `${value}`,
    ]);
    // Compared piece by piece, because keeping a large stream takes longer.
    const done = await piped([input, ...args], async (stdout) => {
      let [length, areSame] = [0, true];
      for await (const piece of stdout as AsyncIterable<Buffer>) {
        const end = length + piece.length;
        areSame &&= piece.equals(expected.subarray(length, end));
        length = end;
      }
      return { length, areSame };
    });
    expect(done).toMatchObject({
      ...{ code: 0, read: { length: expected.length, areSame: true } },
      stderr: expect.stringMatching(/\nstandard output\n {2}rows +[\d,]+ x /),
    });
  });
});

const NOT_COMPARED =
  "bytes not compared: the output is a stream, and runs write files";

test("a saved stream is verified, and read back", async () => {
  const saved = at("saved.arrows");
  const fd = openSync(saved, "w");
  const args = [CLI, "run", DIGITS, "-o", "-", "--quiet"];
  const stdio = ["ignore", fd, "inherit"] as const;
  const child = spawn(process.execPath, args, { stdio: [...stdio] });
  expect(await once(child, "close")).toEqual([0, null]);
  closeSync(fd);
  expect(await verifyAll(saved, DIGITS)).toMatchObject({
    ok: true,
    problems: [],
    bytes: { compared: false, message: NOT_COMPARED },
  });
  const reader = await built.openJacobian(saved);
  expect(reader.rows).toBe(1797);
  await reader.close();
});

test("a bad row ends the stream without an end marker, and the command with 65", async () => {
  const args = [large, "--chunk-rows", "500"];
  const { read, ...done } = await piped(args, readAll);
  const stderr = expect.stringMatching(
    /row 77: expected finite logits .+, found NaN/,
  );
  expect(done).toEqual({ code: 65, stderr });
  expect(read.subarray(-8).toString("hex")).not.toBe("ffffffff00000000");
});

describe.each([[[]], [["--layout", "coo"]]])("%j", (layout) => {
  const args = [large, "--on-bad-row", "skip", ...layout];

  test("a reader may leave early: the command is quiet and does not fail", async () => {
    const done = await piped(args, async (stdout) => {
      await once(stdout, "data");
      (stdout as unknown as { destroy(): void }).destroy();
    });
    expect(done).toMatchObject({
      code: 0,
      stderr: "softjac: reading logits from logits (float64, 20 classes)\n",
    });
  });

  test("a signal ends the command at once while nobody reads", async () => {
    const child = spawn(process.execPath, [CLI, "run", "-o", "-", ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    await once(child.stdout, "readable");
    child.kill("SIGTERM");
    // Not by the exit code 143: a write to a pipe that nobody reads would keep the process from exiting.
    expect(await once(child, "exit")).toEqual([null, "SIGTERM"]);
    child.stdout.destroy();
  });
});

test.each([
  [
    "--json",
    "--json prints the report on standard output, where the results go with -o -; use --report FILE instead",
  ],
  ["--force", "force: has no effect on standard output; remove it"],
])("%s is refused", (option, message) => {
  expect(softjac("run", DIGITS, "-o", "-", option)).toEqual({
    status: 64,
    stdout: "",
    stderr: expect.stringContaining(message),
  });
});

test("nothing is left beside the inputs", () => {
  expect(files(/^[.-]/)).toEqual([]);
});
