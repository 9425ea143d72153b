import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { start } from "../queue/processes.js";
import { inputRuns } from "../support/input-runs.js";
import { writeKept } from "../support/kept-input.js";
import { isLinux } from "../support/machine.js";
import { streamOf } from "../support/stream-of.js";
import { untilItReads } from "../support/until-it-reads.js";

const { at, output, tableOf, refusal } = inputRuns();
const path = at("kept.arrow");
writeKept(path, 20);
const file = readFileSync(path);
const stream = streamOf(path);
const keep = ["id", "name", "split", "flag"];
const END = stream.length - 8;
const schema = stream.subarray(0, 8 + stream.readInt32LE(4));

test("a stream gives the output of the file of the same batches", async () => {
  // The output contains the name of the input, so both have the same path.
  await tableOf(file, { keep });
  const expected = readFileSync(output);
  await tableOf(stream, { keep });
  expect(readFileSync(output).equals(expected)).toBe(true);
  await tableOf(stream.subarray(0, END), { allowMissingEos: true });
});

const label = file.indexOf("label");
const [FOLLOW, AT] = ["follow the end-of-stream marker", `at byte ${END}`];

/** Streams by the message that refuses them. */
const REFUSED: Record<string, Buffer> = {
  "message 6: the stream is truncated: it has no end-of-stream marker (use --allow-missing-eos if its writer never writes one)":
    stream.subarray(0, END),
  [`message 6: ${stream.length} bytes ${FOLLOW} ${AT}`]: Buffer.concat([
    ...[stream, stream],
  ]),
  [`message 6: 4 bytes ${FOLLOW} ${AT}`]: Buffer.concat([
    ...[stream, Buffer.from("more")],
  ]),
  "message 1: expected a record batch or a dictionary batch, found a message of type Schema":
    Buffer.concat([schema, stream]),
  "message 0: expected the schema first, found a message of type DictionaryBatch":
    stream.subarray(schema.length),
  "message 0: the stream ends before its schema": stream.subarray(END),
  "schema message: the schema differs from the schema in the footer":
    Buffer.from(file).fill("LABEL", label, label + 5),
};

test.each(Object.entries(REFUSED))("refused: %s", async (text, bytes) => {
  expect(await refusal(bytes)).toContain(`ERR_INPUT_FORMAT file: ${text}`);
});

test("a stream without its last bytes and its marker is refused", async () => {
  const options = { allowMissingEos: true };
  expect(await refusal(stream.subarray(0, END - 8), options)).toContain(
    `ERR_INPUT_FORMAT file: message 5: the stream is truncated: it ends at byte ${END - 8}, `,
  );
});

/** Starts the command and writes pieces to its standard input, which stays open. */
async function started(pieces: Uint8Array[], args: string[], env = {}) {
  const run = start(["run", "-", ...args], { env, stdin: true });
  const { stdin } = run.child;
  stdin.on("error", () => {});
  for (const piece of pieces)
    await new Promise((resolve) => stdin.write(piece, resolve));
  return { ...run, stdin };
}

/** Runs the command with pieces of standard input. */
async function runWith(pieces: Uint8Array[], ...args: string[]) {
  const { stdin, ended } = await started(pieces, args);
  stdin.end();
  return ended;
}

test.each([
  ["stream", stream],
  ["file", file],
])("standard input: a %s in pieces", async (_, bytes) => {
  const ends = [0, 1, 7, 5000, bytes.length];
  const pieces = ends.slice(1).map((end, n) => bytes.subarray(ends[n], end));
  const args = ["-o", output, "--force", "--keep", keep.join()];
  expect((await runWith(pieces, ...args)).code).toBe(0);
  const words = ["verify", output, "--input", "-", "--all", "--quiet"];
  const verified = spawnSync(process.execPath, [CLI, ...words], {
    input: bytes,
  });
  expect(verified.status, `${verified.stderr}`).toBe(0);
});

const FORMATS =
  "first bytes: expected an Arrow, Parquet, NumPy or safetensors file, found";

const CUT =
  "message 0: expected metadata of 1 to 892 bytes, found 992: the stream is truncated";
const EMPTY = "first bytes: the file is empty; check the program that wrote it";
test.each([
  [CUT, stream.subarray(0, 900)],
  [EMPTY, Buffer.alloc(0)],
  [
    `${FORMATS} CSV or other text; convert it to Parquet: `,
    Buffer.from("row,logit\n1,2\n"),
  ],
])("standard input: %s", async (text, bytes) => {
  const files = readdirSync(at("."));
  const found = await runWith([bytes], "-o", at("never.arrow"));
  const stderr = expect.stringContaining(text);
  expect(found).toMatchObject({ code: 65, stderr });
  expect(found.stderr).toMatch(/^softjac: standard input: .+\n$/);
  expect(readdirSync(at("."))).toEqual(files);
});

test.each([
  [Buffer.alloc(65_536), JSON.stringify("\0".repeat(8))],
  [Buffer.from("yes\n".repeat(16_384)), JSON.stringify("yes\nyes\n")],
])(
  "standard input: an endless stream of %#. unknown bytes is refused after the first",
  async (piece, found) => {
    const { stdin, ended } = await started([], ["-o", at("endless.arrow")]);
    const write = (error?: Error | null) => {
      if (!error) stdin.write(piece, write);
    };
    write();
    const { code, stderr } = await ended;
    expect(code).toBe(65);
    expect(stderr).toContain(`softjac: standard input: ${FORMATS} ${found}`);
  },
);

test.skipIf(!isLinux).each([
  ["SIGTERM", 143],
  ["SIGKILL", "SIGKILL"],
] as const)(
  "standard input: %s while it is copied leaves no file",
  async (signal, expected) => {
    const TMPDIR = at(`tmp-${signal}`);
    mkdirSync(TMPDIR);
    const files = readdirSync(at("."));
    // The rest of the input never comes.
    const args = ["-o", at("stopped.arrow")];
    const pieces = [stream.subarray(0, 1000)];
    const { child, ended } = await started(pieces, args, { TMPDIR });
    await untilItReads(child.pid as number);
    child.kill(signal);
    expect((await ended).code).toBe(expected);
    expect([readdirSync(at(".")), readdirSync(TMPDIR)]).toEqual([files, []]);
  },
);
