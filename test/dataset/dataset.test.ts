import fs from "node:fs";
import { join } from "node:path";
import { type Table, tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import type { Manifest } from "../../src/dataset/dataset-files.js";
import type { DatasetOptions } from "../../src/dataset/options.js";
import { typed, wordsOf } from "../cli/support.js";
import { expectCode, start } from "../queue/processes.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { refused } from "../support/refused.js";
import {
  expectStatus,
  leftOf,
  makeNewer,
  ROWS,
  readJson,
  untilCommitted,
  workOutputs,
  writeRows,
} from "./support.js";

const { at, newOutput } = workOutputs();
const folder = at("logits");
writeRows(folder);
// Other programs leave such files.
fs.writeFileSync(join(folder, "_SUCCESS"), "");
fs.writeFileSync(join(folder, "a/.1.arrow.crc"), "x");

type Options = Partial<DatasetOptions>;
const run = (output: string, options: Options = {}, hooks = {}) =>
  built.runDataset({ inputs: [folder], output, ...options }, hooks);
const manifestOf = (output: string): Manifest =>
  readJson(output, "_manifest.json");

function rowsOf(path: string): unknown[] {
  const table: Table = tableFromIPC(fs.readFileSync(path));
  const text = JSON.stringify(table.toArray(), (_, value) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  return JSON.parse(text);
}

test.each<Options>([
  {},
  { shardRows: 100 },
  { shardBytes: 20_000 },
  { shardRows: 333, layout: "csr", threshold: 1e-3 },
  { shardRows: 350, layout: "coo", topK: 3, checksums: true },
  { shardRows: 64, layout: "factored", compress: "zstd", checksums: true },
  {
    shardRows: 99,
    layout: "packed",
    threads: 1,
    chunkRows: 7,
    checksums: true,
  },
])("shards have the rows of runs over each file: %j", async (options) => {
  const output = newOutput();
  const report = await run(output, options);
  const { parts, inputs, rows } = manifestOf(output);
  expect(report).toMatchObject({
    ...{ status: "done", inputs: 3, rows: 2201, rowsComputed: 2201 },
    ...{ shards: parts.length, shardsComputed: parts.length },
    shardsUpToDate: 0,
  });
  expect(rows).toBe(2201);
  expect(inputs.map(({ name }) => name)).toEqual(Object.keys(ROWS));
  const { shardRows = rows, shardBytes, checksums, ...one } = options;
  const files = filesOf(output);
  for (const { part, rows, bytes, sha256 } of parts) {
    expect(rows).toBeLessThanOrEqual(shardRows);
    expect(bytes).toBe(fs.statSync(join(output, part)).size);
    expect(sha256).toBe(checksums ? files[`/${part}`] : null);
  }
  if (options.compress) {
    const reader = await built.openJacobian(join(output, parts[0]?.part ?? ""));
    expect(reader.count).toBe(parts[0]?.rows);
    return reader.close();
  }
  for (const [k, { name }] of inputs.entries()) {
    const whole = at("whole.arrow");
    const input = join(folder, name);
    await built.run({ ...one, input, output: whole, force: true });
    const found = parts.filter(({ input }) => input === k);
    expect(found.flatMap(({ part }) => rowsOf(join(output, part)))).toEqual(
      rowsOf(whole),
    );
  }
});

test("another run's dataset is replaced on request, unless it has other files", async () => {
  const output = newOutput();
  await run(output);
  const before = filesOf(output);
  const other = { temperature: 2, overwrite: true };
  await refused(
    run(output, { temperature: 2 }),
    "ERR_OUTPUT_EXISTS",
    `${output} already contains the dataset of another run; use --overwrite to replace it`,
  );
  expect(filesOf(output)).toEqual(before);
  const write = (name: string) => fs.writeFileSync(join(output, name), "mine");
  fs.mkdirSync(join(output, "notes"));
  for (const name of ["notes/a.txt", "README", "_commits/x.json"]) write(name);
  const both = filesOf(output);
  const options = { inputs: [folder], output, ...other };
  const expectNamed = async (count: number, names: string) => {
    const message = `${output} contains ${count} files or directories that are not part of its dataset; move them elsewhere: ${names}`;
    for (const call of [built.runDataset, built.dryRunDataset])
      await refused(call(options), "ERR_OUTPUT_EXISTS", message);
  };
  await expectNamed(3, "README, notes, _commits/x.json");
  expect(filesOf(output)).toEqual(both);
  for (let k = 0; k < 9; k++) write(`b${k}`);
  const first = "README, b0, b1, b2, b3, b4, b5, b6, b7, b8, and 2 more";
  await expectNamed(12, first);
  expect(leftOf(output)).toEqual([]);
  for (const name of fs.readdirSync(output))
    if (/^(b\d|README|notes)$/.test(name))
      fs.rmSync(join(output, name), { recursive: true });
  fs.rmSync(join(output, "_commits/x.json"));
  await run(output, other);
  expect(filesOf(output)).not.toEqual(before);
  expect(leftOf(output)).toEqual([]);
});

test("a file, a link or another directory is never replaced; an empty directory is used", async () => {
  const output = newOutput();
  const mine = join(output, "mine.txt");
  const elsewhere = at("elsewhere");
  fs.mkdirSync(elsewhere);
  fs.writeFileSync(join(elsewhere, "mine.txt"), "x");
  const others =
    "contains other files; choose another output or an empty directory";
  const cases: [make: () => void, problem: string, kept: string][] = [
    [
      () => fs.writeFileSync(output, "x"),
      "is a file, not a directory; choose another output",
      output,
    ],
    [
      () => fs.symlinkSync(elsewhere, output),
      "is a link, device or pipe, not a directory; choose another output",
      mine,
    ],
    [() => fs.cpSync(elsewhere, output, { recursive: true }), others, mine],
    [
      () => {
        fs.cpSync(elsewhere, output, { recursive: true });
        // Other programs write an empty one.
        fs.writeFileSync(join(output, "_SUCCESS"), "");
      },
      others,
      mine,
    ],
  ];
  for (const [make, problem, kept] of cases) {
    make();
    const message = `${output} ${problem}`;
    for (const overwrite of [false, true])
      await refused(run(output, { overwrite }), "ERR_OUTPUT_EXISTS", message);
    expect(leftOf(output)).toEqual([]);
    expect(fs.readFileSync(kept, "utf8")).toBe("x");
    fs.rmSync(output, { recursive: true });
  }
  fs.mkdirSync(output);
  expect((await run(output)).status).toBe("done");
});

test("an input that changes during the run is refused; changed before it, it is another run", async () => {
  const copy = at("changing");
  fs.mkdirSync(copy);
  const input = join(copy, "1.arrow");
  fs.copyFileSync(join(folder, "a/1.arrow"), input);
  const output = newOutput();
  const options = { inputs: [copy], shardRows: 100 };
  let isChanged = false;
  const onProgress = (rows: number) => {
    if (rows >= 300 && !isChanged) makeNewer(input);
    isChanged ||= rows >= 300;
  };
  await refused(
    run(output, options, { onProgress }),
    "ERR_INPUT_CHANGED",
    /changed (since the run was planned|while it was read) \(modified /,
  );
  expect(fs.existsSync(output)).toBe(false);
  await run(output, options);
  expect(manifestOf(output).rows).toBe(700);
});

/** Options that are refused, by the message. */
const REFUSED: Record<string, Options> = {
  "none: no such file": { inputs: [at("none")] },
  "no file matches .*\\*.none": { inputs: [at("*.none")] },
  "^inputs: expected at least one path": { inputs: [] },
  "^input: a dataset cannot read standard input, because a resumed run reads its inputs again; give file paths$":
    { inputs: ["-"] },
  "^layout: dense cannot be split into shards; use bsr, packed, csr, coo or factored$":
    { layout: "dense" },
  "^output: expected a directory for the dataset, found standard output$": {
    output: "-",
  },
  " is inside the input .*logits; choose a path outside": {
    output: join(folder, "out"),
  },
  "^shardRows": { shardRows: 0 },
};

test.each(Object.entries(REFUSED))("refused: %s", async (message, options) => {
  const output = newOutput();
  const code = /^no/.test(message) ? "ERR_INPUT_MISSING" : "ERR_USAGE";
  await refused(run(output, options), code, new RegExp(message));
  expect(fs.existsSync(output)).toBe(false);
  expect(leftOf(output)).toEqual([]);
});

test("the command takes a directory, a pattern or several files", () => {
  const [one, two, three] = [newOutput(), newOutput(), newOutput()];
  const [a, b, c] = Object.keys(ROWS).map((name) => join(folder, name));
  expectStatus(typed`run ${folder} -o ${one}/ --shard-rows 500 --quiet`, 0);
  expectStatus(typed`run ${folder}/**/*.arrow -o ${two} --shard-rows 500`, 0);
  const named = typed`run ${a} ${b} ${c} -o ${three} --shard-rows 500`;
  expect(expectStatus(named, 0).stderr).toContain("computed now");
  for (const other of [two, three])
    expect(filesOf(other)).toEqual(filesOf(one));
  const again = typed`run ${folder} -o ${one}/ --shard-rows 500`;
  expect(expectStatus(again, 0).stderr).toContain("up to date");
  expectStatus(typed`run ${folder} -o ${one} --shard-rows 9`, 73);
  const dry = typed`run ${folder} -o ${newOutput()}/ --dry-run`;
  expect(dry.stdout).toContain("0 done, 3 to compute (2,201 rows)");
  const file = typed`run ${a} -o ${at("x.arrow")} --shard-rows 5`;
  expect(expectStatus(file, 64).stderr).toContain(
    "--shard-rows needs a dataset: several inputs, or an output that ends with a slash",
  );
  const forced = typed`run ${folder} -o ${newOutput()}/ --force`;
  expect(expectStatus(forced, 64).stderr).toContain("--overwrite");
});

test("SIGTERM: 75, and the same command continues", async () => {
  const output = newOutput();
  const args = wordsOf`run ${folder} -o ${output}/ --shard-rows 5 --quiet`;
  const { child, ended } = start(args);
  await untilCommitted(output, 3);
  child.kill("SIGTERM");
  expect((await ended).code).toBe(75);
  expect(fs.existsSync(output)).toBe(false);
  const options = { inputs: [folder], output, shardRows: 5 };
  const { shardsDone } = await built.dryRunDataset(options);
  expect(shardsDone).toBeGreaterThan(2);
  const { stdout } = await expectCode(start([...args, "--json"]), 0);
  expect(JSON.parse(stdout).shardsUpToDate).toBe(shardsDone);
  expect(manifestOf(output).rows).toBe(2201);
});
