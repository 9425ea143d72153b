import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Table, tableFromIPC } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { DatasetOptions } from "../../src/dataset/options.js";
import { CLI, softjac } from "../cli/support.js";
import { start as startCommand } from "../queue/processes.js";
import { built } from "../support/built.js";
import { filesOf } from "../support/files-of.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { leftOf, outputsIn, untilCommitted, wipOf } from "./outputs.js";

const at = workDirectory();
const folder = at("logits");
const ROWS = { "a/1.arrow": 700, "a/2.arrow": 1, "b/c/3.arrow": 1500 };
for (const [k, [name, rows]] of Object.entries(ROWS).entries()) {
  mkdirSync(join(folder, name, ".."), { recursive: true });
  writeLogits(join(folder, name), {
    rows,
    classes: 4,
    batchRows: [333],
    logit: (r, j) => Math.sin(r * 31 + j * 7 + k) * 6,
  });
}
// What data pipelines leave among their files.
writeFileSync(join(folder, "_SUCCESS"), "");
writeFileSync(join(folder, "a", ".1.arrow.crc"), "x");

const newOutput = outputsIn(at);

interface Manifest {
  rows: number;
  badRows: number;
  inputs: { name: string }[];
  parts: {
    part: string;
    input: number;
    rows: number;
    rowStart: number;
    sha256: string | null;
    bytes: number;
  }[];
}

function manifestOf(output: string): Manifest {
  return JSON.parse(readFileSync(join(output, "_manifest.json"), "utf8"));
}

describe("parts", () => {
  test.each<[Partial<DatasetOptions>]>([
    [{}],
    [{ shardRows: 100 }],
    [{ shardBytes: 20_000 }],
    [{ shardRows: 333, layout: "csr", threshold: 1e-3 }],
    [{ shardRows: 350, layout: "coo", topK: 3 }],
    [{ shardRows: 64, layout: "factored", compress: "zstd" }],
    [{ shardRows: 99, layout: "packed", threads: 1, chunkRows: 7 }],
  ])("have the rows of runs over each file: %j", async (options) => {
    const output = newOutput();
    const report = await built.runDataset({
      inputs: [folder],
      output,
      ...options,
    });
    const { parts, inputs, rows } = manifestOf(output);
    expect(report).toMatchObject({
      status: "done",
      inputs: 3,
      rows: 2201,
      shards: parts.length,
      shardsUpToDate: 0,
      shardsComputed: parts.length,
      rowsComputed: 2201,
    });
    expect(rows).toBe(2201);
    expect(inputs.map(({ name }) => name)).toEqual(Object.keys(ROWS));
    const { shardRows, shardBytes, ...run } = options;
    for (const part of parts) {
      if (shardRows) expect(part.rows).toBeLessThanOrEqual(shardRows);
      const bytes = statSync(join(output, part.part)).size;
      expect(part.bytes).toBe(bytes);
    }
    if (options.compress) {
      const { part } = parts[0] as Manifest["parts"][0];
      const reader = await built.openJacobian(join(output, part));
      expect(reader.count).toBeGreaterThan(0);
      await reader.close();
      return;
    }
    for (const [k, { name }] of inputs.entries()) {
      const whole = at("whole.arrow");
      const input = join(folder, name);
      await built.run({ ...run, input, output: whole, force: true });
      const found = parts
        .filter(({ input }) => input === k)
        .flatMap(({ part }) => rowsOf(join(output, part)));
      expect(found, name).toEqual(rowsOf(whole));
    }
  });

  function rowsOf(path: string): unknown[] {
    const table: Table = tableFromIPC(readFileSync(path));
    return JSON.parse(
      JSON.stringify(table.toArray(), (_, value) =>
        typeof value === "bigint" ? Number(value) : value,
      ),
    );
  }

  test.each(["bsr", "packed", "csr", "coo", "factored"] as const)(
    "are read back and verified one by one: %s",
    async (layout) => {
      const output = newOutput();
      const emit = ["jacobian"] as const;
      await built.runDataset({
        inputs: [folder],
        output,
        layout,
        emit,
        shardRows: 400,
      });
      const { parts, inputs } = manifestOf(output);
      for (const { part, input, rowStart, rows } of parts) {
        const path = join(output, part);
        const from = join(folder, inputs[input]?.name as string);
        const verified = await built.verify({
          output: path,
          input: from,
          all: true,
        });
        expect(verified).toMatchObject({ ok: true, rowsChecked: rows });
        expect(verified.bytes?.compared).toBe(true);
        const sampled = await built.verify({
          output: path,
          input: from,
          sample: 5,
        });
        expect(sampled.ok).toBe(true);
        const reader = await built.openJacobian(path);
        expect(reader.count).toBe(rows);
        expect((await reader.block(rowStart))?.length).toBe(16);
        await expect(reader.block(rowStart + rows)).rejects.toMatchObject({
          code: "ERR_ROW_MISSING",
        });
        await reader.close();
      }
    },
  );

  test("do not depend on threads, chunks, or how inputs are named", async () => {
    const options = { shardRows: 200, threads: 2 };
    const [one, two] = [newOutput(), newOutput()];
    await built.runDataset({ inputs: [folder], output: one, ...options });
    const inputs = [join(folder, "b/**/*.arrow"), join(folder, "a/*.arrow")];
    const other = { ...options, threads: 1, chunkRows: 50 };
    const report = await built.runDataset({ inputs, output: two, ...other });
    expect(filesOf(two)).toEqual(filesOf(one));
    expect(report.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(leftOf(one)).toEqual([]);
  });
});

test.each<[Partial<DatasetOptions>]>([
  [{}],
  [{ layout: "coo" }],
  [{ layout: "packed", compress: "lz4" }],
  [{ layout: "csr", threads: 2, chunkRows: 9 }],
])(
  "checksums are in the manifest where they are asked for: %j",
  async (options) => {
    const output = newOutput();
    const sums = async (checksums: boolean) => {
      await built.runDataset({
        inputs: [folder],
        output,
        shardRows: 300,
        overwrite: true,
        checksums,
        ...options,
      });
      const files = filesOf(output);
      return manifestOf(output).parts.map(({ part, sha256 }) => ({
        found: sha256,
        expected: files[`/${part}`],
      }));
    };
    for (const { found, expected } of await sums(true))
      expect(found).toBe(expected);
    for (const { found } of await sums(false)) expect(found).toBeNull();
  },
);

describe("again", () => {
  const shardRows = 400;

  test("up to date: nothing is written", async () => {
    const output = newOutput();
    await built.runDataset({ inputs: [folder], output, shardRows });
    const before = filesOf(output);
    const report = await built.runDataset({
      inputs: [folder],
      output,
      shardRows,
    });
    expect(report).toMatchObject({ status: "up to date", shardsComputed: 0 });
    expect(filesOf(output)).toEqual(before);
    expect(leftOf(output)).toEqual([]);
  });

  test("another run's dataset is refused, and replaced where that is asked for", async () => {
    const output = newOutput();
    await built.runDataset({ inputs: [folder], output, shardRows });
    const before = filesOf(output);
    const other = { inputs: [folder], output, shardRows, temperature: 2 };
    await expect(built.runDataset(other)).rejects.toMatchObject({
      code: "ERR_OUTPUT_EXISTS",
      message: `${output} already contains the dataset of another run; use --overwrite to replace it`,
    });
    expect(filesOf(output)).toEqual(before);
    await built.runDataset({ ...other, overwrite: true });
    expect(filesOf(output)).not.toEqual(before);
    expect(leftOf(output)).toEqual([]);
  });

  test("a dataset that holds other files is not replaced", async () => {
    const output = newOutput();
    await built.runDataset({ inputs: [folder], output, shardRows });
    mkdirSync(join(output, "notes"));
    for (const name of ["notes/a.txt", "README", "_commits/mine.json"])
      writeFileSync(join(output, name), "mine");
    const before = filesOf(output);
    const other = { inputs: [folder], output, temperature: 2 };
    const refused = async (message: string) => {
      for (const call of [built.runDataset, built.dryRunDataset])
        await expect(call({ ...other, overwrite: true })).rejects.toMatchObject(
          { code: "ERR_OUTPUT_EXISTS", message },
        );
    };
    const message = (names: string) => `${output} contains ${names}`;
    await refused(
      message(
        "3 files or directories that are not part of its dataset; move them elsewhere: README, notes, _commits/mine.json",
      ),
    );
    expect(filesOf(output)).toEqual(before);
    expect(leftOf(output)).toEqual([]);
    for (let k = 0; k < 9; k++) writeFileSync(join(output, `b${k}`), "mine");
    await refused(
      message(
        "12 files or directories that are not part of its dataset; move them elsewhere: README, b0, b1, b2, b3, b4, b5, b6, b7, b8, and 2 more",
      ),
    );
  });

  test("what is no dataset is never replaced; an empty folder is taken", async () => {
    const output = newOutput();
    const expectRefused = async (text: string) => {
      for (const overwrite of [false, true])
        await expect(
          built.runDataset({ inputs: [folder], output, overwrite }),
        ).rejects.toMatchObject({
          code: "ERR_OUTPUT_EXISTS",
          message: expect.stringContaining(text),
        });
      expect(leftOf(output)).toEqual([]);
    };
    writeFileSync(output, "x");
    await expectRefused("is a file, not a directory; choose another output");
    expect(readFileSync(output, "utf8")).toBe("x");
    rmSync(output);
    const elsewhere = at("elsewhere");
    mkdirSync(elsewhere, { recursive: true });
    symlinkSync(elsewhere, output);
    await expectRefused("is a link, device or pipe, not a directory");
    rmSync(output);
    mkdirSync(output);
    writeFileSync(join(output, "mine.txt"), "x");
    // Of another tool, which says nothing in it.
    writeFileSync(join(output, "_SUCCESS"), "");
    await expectRefused("contains other files");
    expect(readFileSync(join(output, "mine.txt"), "utf8")).toBe("x");
    rmSync(join(output, "_SUCCESS"));
    await expectRefused("contains other files");
    rmSync(join(output, "mine.txt"));
    await built.runDataset({ inputs: [folder], output });
    expect(existsSync(join(output, "_SUCCESS"))).toBe(true);
  });

  test("stopped: what is done is kept, and not made again", async () => {
    const [output, whole] = [newOutput(), newOutput()];
    const options = { inputs: [folder], shardRows: 100 };
    await built.runDataset({ ...options, output: whole });
    const controller = new AbortController();
    const stopped = built.runDataset(
      { ...options, output },
      {
        signal: controller.signal,
        onProgress: (rows) => rows > 900 && controller.abort(),
      },
    );
    await expect(stopped).rejects.toMatchObject({ code: "ERR_STOPPED" });
    expect(existsSync(output)).toBe(false);
    const plan = await built.dryRunDataset({ ...options, output });
    expect(plan.shardsDone).toBeGreaterThan(3);
    expect(plan.shardsDone).toBeLessThan(plan.shards);
    const report = await built.runDataset({ ...options, output });
    expect(report.shardsUpToDate).toBe(plan.shardsDone);
    expect(report.shardsComputed).toBe(plan.shards - plan.shardsDone);
    expect(filesOf(output)).toEqual(filesOf(whole));
  });

  test("parts that were cut, replaced or lost are made again", async () => {
    const [output, whole] = [newOutput(), newOutput()];
    const options = { inputs: [folder], shardRows: 100 };
    const { shards } = await built.runDataset({ ...options, output: whole });
    const controller = new AbortController();
    await built
      .runDataset(
        { ...options, output },
        {
          signal: controller.signal,
          onProgress: (rows) => rows > 900 && controller.abort(),
        },
      )
      .catch(() => {});
    const part = (k: number) =>
      join(wipOf(output) as string, `part-0000${k}-of-000${shards}.arrow`);
    writeFileSync(part(0), readFileSync(part(0)).subarray(0, 100));
    writeFileSync(part(1), readFileSync(part(1)).reverse());
    const later = new Date(Date.now() + 60_000);
    utimesSync(part(1), later, later);
    rmSync(part(2));
    const { shardsDone } = await built.dryRunDataset({ ...options, output });
    const report = await built.runDataset({ ...options, output });
    expect(report.shardsUpToDate).toBe(shardsDone);
    expect(filesOf(output)).toEqual(filesOf(whole));
  });

  test("an input that has changed since: another run; while it runs: refused", async () => {
    const copy = at("changing");
    mkdirSync(copy);
    const input = join(copy, "1.arrow");
    const bytes = readFileSync(join(folder, "a/1.arrow"));
    writeFileSync(input, bytes);
    const output = newOutput();
    const options = { inputs: [copy], output, shardRows: 100 };
    let touched = false;
    const stopped = built.runDataset(options, {
      onProgress: (rows) => {
        if (rows < 300 || touched) return;
        touched = true;
        const later = new Date(Date.now() + 5000);
        utimesSync(input, later, later);
      },
    });
    await expect(stopped).rejects.toMatchObject({
      code: "ERR_INPUT_CHANGED",
      message: expect.stringMatching(
        /changed (since the run was planned|while it was read) \(modified /,
      ),
    });
    expect(existsSync(output)).toBe(false);
    await built.runDataset(options);
    expect(manifestOf(output).rows).toBe(700);
  });
});

describe("refused", () => {
  test.each<[string, Partial<DatasetOptions>, string, string]>([
    ["nothing there", { inputs: [at("none")] }, "ERR_INPUT_MISSING", "none"],
    ["no match", { inputs: [at("*.none")] }, "ERR_INPUT_MISSING", "*.none"],
    ["no inputs", { inputs: [] }, "ERR_USAGE", "expected at least one path"],
    ["standard input", { inputs: ["-"] }, "ERR_USAGE", "standard input"],
    [
      "dense",
      { layout: "dense" },
      "ERR_USAGE",
      "layout: dense cannot be split",
    ],
    ["to standard output", { output: "-" }, "ERR_USAGE", "standard output"],
    [
      "into its input",
      { output: join(folder, "out") },
      "ERR_USAGE",
      `is inside the input ${folder}; choose a path outside`,
    ],
    ["no rows", { shardRows: 0 }, "ERR_USAGE", "shardRows"],
  ])("%s", async (_, options, code, message) => {
    const output = newOutput();
    await expect(
      built.runDataset({ inputs: [folder], output, ...options }),
    ).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(existsSync(output)).toBe(false);
    expect(leftOf(output)).toEqual([]);
  });

  test("inputs that are unlike each other", async () => {
    const mixed = at("mixed");
    mkdirSync(mixed);
    for (const classes of [3, 4])
      writeLogits(join(mixed, `${classes}.arrow`), {
        rows: 3,
        classes,
        logit: (r, k) => r + k,
      });
    await expect(
      built.runDataset({ inputs: [mixed], output: newOutput() }),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_UNSUPPORTED",
      message: expect.stringContaining(
        "expected 3 classes as in 3.arrow, found 4; run files of other classes by themselves",
      ),
    });
  });
});

describe("the command", () => {
  const args = (output: string) => [
    "run",
    folder,
    "-o",
    `${output}/`,
    "--shard-rows",
    "500",
    "--quiet",
  ];

  test("by folder, by pattern, by several files", () => {
    const outputs = [newOutput(), newOutput(), newOutput()] as const;
    const [one, two, three] = outputs;
    const more = ["--shard-rows", "500"];
    expect(softjac(...args(one)).status).toBe(0);
    const pattern = join(folder, "**", "*.arrow");
    expect(softjac("run", pattern, "-o", two, ...more).status).toBe(0);
    const files = Object.keys(ROWS).map((name) => join(folder, name));
    const { status, stderr } = softjac("run", ...files, "-o", three, ...more);
    expect(status).toBe(0);
    expect(stderr).toContain("computed now");
    for (const other of [two, three])
      expect(filesOf(other)).toEqual(filesOf(one));
    const again = softjac("run", folder, "-o", `${one}/`, ...more);
    expect(again.status).toBe(0);
    expect(again.stderr).toContain("up to date");
    expect(softjac("run", folder, "-o", one, "--shard-rows", "9").status).toBe(
      73,
    );
    const dry = softjac("run", folder, "-o", `${newOutput()}/`, "--dry-run");
    expect(dry.stdout).toContain("0 done, 3 to compute (2,201 rows)");
  });

  test("options that go with one file, or with a dataset, alone", () => {
    const one = join(folder, "a/1.arrow");
    const file = softjac("run", one, "-o", at("x.arrow"), "--shard-rows", "5");
    expect(file.status).toBe(64);
    expect(file.stderr).toContain(
      "--shard-rows needs a dataset: several inputs, or an output that ends with a slash",
    );
    const dataset = softjac(...args(newOutput()), "--force");
    expect(dataset.status).toBe(64);
    expect(dataset.stderr).toContain("--overwrite");
  });

  test("SIGTERM: 75, and the same command goes on", async () => {
    const output = newOutput();
    const many = [...args(output), "--shard-rows", "5"].filter(
      (word, k, all) => !(k === all.indexOf("--shard-rows") || word === "500"),
    );
    const child = spawn(process.execPath, [CLI, ...many]);
    const closed = once(child, "close");
    await untilCommitted(output, 3);
    child.kill("SIGTERM");
    const [code] = await closed;
    expect(code).toBe(75);
    expect(existsSync(output)).toBe(false);
    expect(softjac(...many).status).toBe(0);
    expect(manifestOf(output).rows).toBe(2201);
  }, 60_000);
});

describe("several processes at once", () => {
  const args = (output: string) => [
    "run",
    folder,
    "-o",
    `${output}/`,
    "--shard-rows",
    "40",
    "--quiet",
    "--threads",
    "1",
  ];
  const start = (output: string, ...more: string[]) =>
    startCommand([...args(output), ...more]).ended;

  test("two different runs to one name: one wins whole, the other refuses", async () => {
    const output = newOutput();
    const [first, second] = await Promise.all([
      start(output),
      start(output, "--temperature", "2"),
    ]);
    expect([first.code, second.code].sort()).toEqual([0, 73]);
    const { parts } = manifestOf(output);
    for (const { part, bytes } of parts)
      expect(statSync(join(output, part)).size).toBe(bytes);
  });
});
