import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { writeKept } from "../support/kept-input.js";
import { workDirectory } from "../support/logits-input.js";
import { streamOf } from "../support/stream-of.js";
import { untilItReads } from "../support/until-it-reads.js";

const at = workDirectory();
// One name for both, since it stands in the output.
mkdirSync(at("streams"));
const file = at("kept.arrow");
const asStream = at("streams/kept.arrow");
writeKept(file, 20);
const stream = streamOf(file);
writeFileSync(asStream, stream);
const keep = ["id", "name", "split", "flag"];

const END = Buffer.from("ffffffff00000000", "hex");

/** What a run makes of an input. */
async function outputOf(input: string, more = {}): Promise<Buffer> {
  const output = at("out.arrow");
  await built.run({ input, output, keep, force: true, ...more });
  return readFileSync(output);
}

function written(name: string, bytes: Uint8Array): string {
  writeFileSync(at(name), bytes);
  return at(name);
}

describe("a stream in a file", () => {
  test("gives what the file of the same batches gives", async () => {
    expect(stream.subarray(-8)).toEqual(END);
    const found = await outputOf(asStream);
    expect(found.equals(await outputOf(file))).toBe(true);
  });

  test("without its end-of-stream marker: only where that is allowed", async () => {
    const input = written("open.arrows", stream.subarray(0, -8));
    await expect(outputOf(input)).rejects.toThrow(
      "the stream is truncated: it has no end-of-stream marker (use --allow-missing-eos if its writer never writes one)",
    );
    await expect(
      outputOf(input, { allowMissingEos: true }),
    ).resolves.toBeInstanceOf(Buffer);
    // It allows no more than that.
    const truncated = written("cut.arrows", stream.subarray(0, -16));
    await expect(
      outputOf(truncated, { allowMissingEos: true }),
    ).rejects.toThrow(
      `the stream is truncated: it ends at byte ${stream.length - 16}, `,
    );
  });

  test.each([
    ["another stream", stream, `${stream.length} bytes`],
    ["anything", Buffer.from("more"), "4 bytes"],
  ])(
    "%s behind its end: refused, since nobody would read it",
    async (_, more, found) => {
      const input = written("two.arrows", Buffer.concat([stream, more]));
      await expect(outputOf(input)).rejects.toThrow(
        `${found} follow the end-of-stream marker at byte ${stream.length - 8}`,
      );
    },
  );

  test("a second schema, or none: refused", async () => {
    const schema = stream.subarray(0, 8 + stream.readInt32LE(4));
    const twice = written("twice.arrows", Buffer.concat([schema, stream]));
    await expect(outputOf(twice)).rejects.toThrow(
      "message 1: expected a record batch or a dictionary batch, found a message of type Schema",
    );
    const headless = written("none.arrows", stream.subarray(schema.length));
    await expect(outputOf(headless)).rejects.toThrow(
      "message 0: expected the schema first, found a message of type",
    );
    const empty = written("empty.arrows", END);
    await expect(outputOf(empty)).rejects.toThrow(
      "message 0: the stream ends before its schema",
    );
  });
});

test("a file whose schema message is not that of its footer is refused", async () => {
  const bytes = readFileSync(file);
  const place = bytes.indexOf("label");
  expect(bytes.indexOf("label", place + 1)).toBeGreaterThan(place);
  bytes.write("LABEL", place);
  await expect(outputOf(written("two-schemas.arrow", bytes))).rejects.toThrow(
    "schema message: the schema differs from the schema in the footer (LABEL: int8 here, label: int8 there)",
  );
});

describe("standard input", () => {
  /** Runs the command on `pieces` through a pipe. */
  async function piped(
    pieces: Uint8Array[],
    ...args: string[]
  ): Promise<{ code: number | null; stderr: string }> {
    const child = spawn(process.execPath, [CLI, "run", "-", ...args]);
    let stderr = "";
    child.stderr.on("data", (piece) => {
      stderr += piece;
    });
    child.stdin.on("error", () => {});
    for (const piece of pieces)
      await new Promise((resolve) => child.stdin.write(piece, resolve));
    child.stdin.end();
    const code = await new Promise<number | null>((resolve) =>
      child.once("close", resolve),
    );
    return { code, stderr };
  }

  const output = at("piped.arrow");
  const options = ["-o", output, "--force", "--keep", keep.join()];

  test.each([
    ["a stream", stream],
    ["a file", readFileSync(file)],
  ])("%s, in pieces", async (_, bytes) => {
    const pieces = [1, 7, 5000].map((end, n, ends) =>
      bytes.subarray(n === 0 ? 0 : ends[n - 1], end),
    );
    const { code, stderr } = await piped(
      [...pieces, bytes.subarray(5000)],
      ...options,
    );
    expect(stderr).not.toMatch(CLEAR_MESSAGE);
    expect(code).toBe(0);
    const verified = await built.verify({ output, input: file, sample: 5 });
    expect(verified.problems).toEqual([]);
  });

  test("cut, empty, or nothing that is known: 65, and nothing is left", async () => {
    for (const [bytes, says] of [
      [
        stream.subarray(0, 900),
        /: expected metadata of 1 to \d+ bytes, found \d+: the stream is truncated\n$/,
      ],
      [
        Buffer.alloc(0),
        /: first bytes: the file is empty; check the program that wrote it\n$/,
      ],
      [
        Buffer.from("row,logit\n1,2\n"),
        /: first bytes: expected an Arrow, Parquet, NumPy or safetensors file, found CSV or other text; convert it to Parquet: /,
      ],
    ] as const) {
      const missing = at("never.arrow");
      const { code, stderr } = await piped([bytes], "-o", missing);
      expect(code).toBe(65);
      expect(stderr).toMatch(/^softjac: standard input: /);
      expect(stderr).toMatch(says);
    }
    const left = readdirSync(dirname(output)).filter(
      (name) => name.startsWith(".") || name.startsWith("never"),
    );
    expect(left).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")(
    "stopped while it is read: ends at once, and nothing is left",
    async () => {
      const child = spawn(process.execPath, [
        CLI,
        "run",
        "-",
        "-o",
        at("stopped.arrow"),
      ]);
      child.stdin.on("error", () => {});
      child.stdin.write(stream.subarray(0, 1000));
      await untilItReads(child.pid as number);
      child.kill("SIGTERM");
      const code = await new Promise((resolve) => child.once("close", resolve));
      expect(code).toBe(143);
      expect(
        readdirSync(dirname(output)).filter((name) => /^\.|stopped/.test(name)),
      ).toEqual([]);
    },
  );

  test.each([
    ["/dev/zero's", Buffer.alloc(65_536), JSON.stringify("\0".repeat(8))],
    ["text", Buffer.from("yes\n".repeat(16_384)), JSON.stringify("yes\nyes\n")],
  ])(
    "endless, and of no format that is read: 65 after its first bytes (%s)",
    async (_, piece, found) => {
      const args = ["run", "-", "-o", at("endless.arrow")];
      const child = spawn(process.execPath, [CLI, ...args]);
      const closed = once(child, "close");
      let stderr = "";
      child.stderr.on("data", (text) => {
        stderr += text;
      });
      // Written for as long as somebody reads.
      const refused = new Promise<string | undefined>((resolve) => {
        const write = (error?: NodeJS.ErrnoException | null) =>
          error ? resolve(error.code) : child.stdin.write(piece, write);
        child.stdin.on("error", () => {});
        write();
      });
      expect(["EPIPE", "ECONNRESET"]).toContain(await refused);
      expect((await closed)[0]).toBe(65);
      expect(JSON.stringify(stderr.slice(0, -1))).toContain(
        JSON.stringify(
          `softjac: standard input: first bytes: expected an Arrow, Parquet, NumPy or safetensors file, found ${found}`,
        ).slice(1, -1),
      );
    },
  );

  test("verify of every byte refuses it, since it cannot be read twice", async () => {
    await built.run({ input: file, output, keep, force: true });
    await expect(
      built.verify({ output, input: "-", all: true }),
    ).rejects.toThrow(
      "input, all: standard input cannot be read twice; give the path of a file",
    );
  });
});
