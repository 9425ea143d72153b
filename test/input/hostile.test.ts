import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { Bool } from "apache-arrow/fb/bool";
import { Field } from "apache-arrow/fb/field";
import { Footer } from "apache-arrow/fb/footer";
import { Schema } from "apache-arrow/fb/schema";
import { Builder } from "flatbuffers";
import { expect, test } from "vitest";
import { decodeThrift, MalformedThrift } from "../../src/io/thrift.js";
import { softjac } from "../cli/support.js";
import { npy, safetensorsFile, zip } from "../support/array-files.js";
import { arrowOf } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { inputRuns } from "../support/input-runs.js";
import { writeLogits } from "../support/logits-input.js";
import { isLinux, sharedFolder } from "../support/machine.js";
import { streamOf } from "../support/stream-of.js";

// Files made to exhaust or mislead their reader. Each is refused in one sentence, after work that its size bounds.

const { at, input, output, refusal } = inputRuns();

function expectRefused(message: RegExp | string, ...args: string[]): void {
  const stderr = expect.stringMatching(message);
  expect(softjac(...args)).toEqual({ status: 65, stdout: "", stderr });
}

test("a safetensors header nested 20,000 deep", () => {
  const header = `{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
  fs.writeFileSync(input, safetensorsFile(header, Buffer.alloc(0)));
  const message = `^softjac: ${input}: structure: the values are nested too deeply\n$`;
  expectRefused(message, "run", input, "-o", at("none"));
  expectRefused(message, "inspect", input);
});

test.each([
  ["--emit", "softmax"],
  ["--layout", "factored"],
])("rows larger than any memory, with %s %s", (...more) => {
  const type = `fixed_size_list<float32>[${2 ** 31 - 1}]`;
  fs.writeFileSync(input, arrowOf({ logits: [[], type] }));
  for (const dry of [[], ["--dry-run"]])
    expectRefused(
      /: column logits: expected rows of at most 4294901760 bytes of memory, found 2147483647 classes, which need \d+\n$/,
      ...["run", input, "-o", at("none"), ...more, ...dry],
    );
});

test("fields that share one long name are not expanded", async () => {
  const builder = new Builder(1024);
  const name = builder.createString("x".repeat(100_000));
  Bool.startBool(builder);
  const type = Bool.endBool(builder);
  Field.startField(builder);
  Field.addName(builder, name);
  Field.addTypeType(builder, 6);
  Field.addType(builder, type);
  const field = Field.endField(builder);
  const fields = Schema.createFieldsVector(builder, Array(20_000).fill(field));
  Schema.startSchema(builder);
  Schema.addFields(builder, fields);
  const schema = Schema.endSchema(builder);
  Footer.startFooter(builder);
  Footer.addVersion(builder, 4);
  Footer.addSchema(builder, schema);
  Footer.finishFooterBuffer(builder, Footer.endFooter(builder));
  const footer = builder.asUint8Array();
  const tail = Buffer.alloc(10, "\0\0\0\0ARROW1");
  tail.writeInt32LE(footer.length);
  const file = Buffer.concat([Buffer.from("ARROW1\0\0"), footer, tail]);
  expect(await refusal(file)).toBe(
    "ERR_INPUT_FORMAT file: footer: invalid metadata: tables or strings are shared too often",
  );
});

test("a list that declares more values than there are", async () => {
  const rows = Array.from({ length: 4 }, () => [1, 2, 3]);
  const bytes = arrowOf({ logits: [rows, "list<float64>"] });
  const offsets = Buffer.from(Int32Array.of(0, 3, 6, 9, 12).buffer);
  bytes.writeInt32LE(2 ** 30, bytes.indexOf(offsets) + 4);
  expect(await refusal(bytes)).toBe(
    `ERR_INPUT_FORMAT file: row 0: expected 1 to 12 logits, found ${2 ** 30}`,
  );
});

test.each<[type: number, read: "integer" | "text"]>([
  [4, "integer"],
  [7, "integer"],
  [8, "integer"],
  [12, "integer"],
  [5, "text"],
])("a field of Parquet metadata of type %i, read as %s", (type, read) => {
  const bytes = Uint8Array.of(0x10 | type, 2, 0, 0, 0);
  expect(() => decodeThrift(bytes, { 1: ["field", read] })).toThrow(
    new MalformedThrift(`a value of type ${type}`),
  );
});

test("a Parquet footer of structs nested a million deep", async () => {
  // The first is a field that is not read.
  const nested = Buffer.alloc(1_000_000, 0x1c).fill(0x9c, 0, 1);
  const tail = Buffer.alloc(8, "\0\0\0\0PAR1");
  tail.writeUInt32LE(nested.length);
  const file = Buffer.concat([Buffer.from("PAR1"), nested, tail]);
  expect(() => decodeThrift(nested, {})).toThrow(MalformedThrift);
  expect(await refusal(file)).toBe(
    "ERR_INPUT_FORMAT file: footer: invalid metadata: structs nested more than 32 deep; copy or write the file again",
  );
});

test("a manifest of a dataset without its fields", () => {
  const folder = at("dataset");
  fs.mkdirSync(folder);
  for (const name of ["_manifest.json", "_SUCCESS"])
    fs.writeFileSync(`${folder}/${name}`, '{"parts": [null], "inputs": []}');
  expectRefused(
    /^softjac: .*dataset: _manifest\.json: could not be parsed \([^\n]+\)\n$/,
    ...["show", folder, "--row", "0"],
  );
});

const COUNT = 4000;
const file = at("empty-batches.arrow");
const batchRows = [...Array<number>(COUNT).fill(0), 1];
const logit = (row: number, k: number) => row + k;
writeLogits(file, { rows: 2, classes: 3, batchRows, logit });

/** Returns a safetensors file of COUNT tensors without values, and one of logits. */
function emptyTensors(): Buffer {
  const empty = { dtype: "F32", shape: [0, 3], data_offsets: [0, 0] };
  const header: Record<string, object> = {};
  for (let n = 0; n < COUNT; n++) header[`t${n}`] = empty;
  header.logits = { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] };
  const values = Buffer.from(Float32Array.of(0, 1, 2, 3, 5, 8).buffer);
  return safetensorsFile(JSON.stringify(header), values);
}

/** Returns an archive of COUNT small arrays, and one of logits. */
function smallArrays(deflated: boolean): Buffer {
  const logits = npy(Float32Array.of(0, 1, 2, 3, 5, 8), [2, 3]);
  const members: Record<string, Buffer> = { "logits.npy": logits };
  const small = npy(Int8Array.of(0, 1), [2]);
  for (let n = 0; n < COUNT; n++) members[`t${n}.npy`] = small;
  return zip(members, { deflated });
}

test.skipIf(!isLinux).each([
  ["an Arrow file of empty batches", () => fs.readFileSync(file)],
  ["an Arrow stream of empty batches", () => streamOf(file)],
  ["a safetensors file of empty tensors", emptyTensors],
  ["an archive of stored arrays", () => smallArrays(false)],
  ["an archive of deflated arrays", () => smallArrays(true)],
])("%s: the size bounds the work", async (_, bytes) => {
  const workDone = () =>
    ["rchar", "wchar", "syscr"].map((name) => {
      const text = fs.readFileSync("/proc/self/io", "utf8");
      return Number(new RegExp(`${name}: (\\d+)`).exec(text)?.[1]);
    });
  fs.writeFileSync(input, bytes());
  // The first run reads modules, too.
  const options = { output, force: true, column: "logits" };
  await built.run({ ...options, input: file });
  const before = workDone();
  const report = await built.run({ ...options, input });
  const [read, written, reads] = workDone().map((n, k) => n - (before[k] ?? 0));
  expect(report.rowsDone).toBe(2);
  expect(report.outputBytes).toBeLessThan(4096);
  const { size } = fs.statSync(input);
  expect(Math.max(read ?? 0, written ?? 0)).toBeLessThan(4 * size + 2 ** 20);
  expect(reads).toBeLessThan(16 * COUNT);
});

const folder = sharedFolder("malformed");
const ATTEMPTS = fileURLToPath(
  new URL("../support/attempts.mjs", import.meta.url),
);

/** Tries all operations on files in a process of bounded memory; returns the outcomes by file. */
function attempts(
  inputs: string[],
  piped?: Buffer,
): Record<string, [attempt: string, code: string][]> {
  const { stdout, ...ended } = spawnSync(
    process.execPath,
    [ATTEMPTS, at("none"), ...inputs],
    { ...{ encoding: "utf8", input: piped, timeout: 60_000 } },
  );
  expect(ended).toMatchObject({ stderr: "", status: 0, signal: null });
  const { outcomes, peakBytes } = JSON.parse(stdout);
  expect(peakBytes).toBeLessThan(2 ** 29);
  return outcomes;
}

test.skipIf(!folder)(
  "files that broke other readers of Arrow, found by fuzzing",
  () => {
    const paths = fs
      .readdirSync(folder as string)
      .filter((name) => !name.endsWith(".md"))
      .map((name) => `${folder}/${name}`);
    const tried = Object.entries(attempts(paths));
    expect(tried).toHaveLength(55);
    // A process for each pipe takes most of the time.
    for (const path of paths.filter((_, k) => k % 5 === 0))
      tried.push(...Object.entries(attempts(["-"], fs.readFileSync(path))));
    for (const [name, outcomes] of tried) {
      expect(outcomes.length, name).toBeGreaterThan(0);
      // Files whose values cannot be read can have a description.
      for (const [attempt, code] of outcomes)
        if (attempt !== "inspect" || code !== "ok")
          expect(code, `${name}, ${attempt}`).toMatch(
            /^ERR_(INPUT_FORMAT|INPUT_UNSUPPORTED|LOGITS_COLUMN)$/,
          );
    }
    expect(fs.existsSync(at("none"))).toBe(false);
  },
);
