import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { sharedFolder } from "../support/machine.js";

// Parquet files of other writers (parquet/make.py), read back with what was given to those writers.

type RunOptions = Parameters<typeof built.run>[0];

const at = workDirectory();
const fixture = (name: string) =>
  fileURLToPath(new URL(`parquet/${name}`, import.meta.url));
const expected: { logits: number[][]; kept: Record<string, unknown[]> } =
  JSON.parse(readFileSync(fixture("expected.json"), "utf8"));
const { kind: _, ...ofPyarrow } = expected.kept;
const ALL = Object.keys(ofPyarrow);

/** Softmax of the logits that the writers were given. */
const probabilities = expected.logits.map((row) => {
  const powers = row.map((o) => Math.exp(o));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
});

function plain(value: unknown): unknown {
  return value instanceof Uint8Array
    ? Buffer.from(value).toString("hex")
    : (value ?? null);
}

/** Columns of an output, as another reader sees them. */
function columnsOf(path: string) {
  const table = tableFromIPC(readFileSync(path));
  return {
    types: Object.fromEntries(
      table.schema.fields.map(({ name, type }) => [name, type]),
    ),
    values: (name: string): unknown[] =>
      [...table.getChild(name)].map((value) => plain(value)),
    softmax: (): number[][] =>
      [...table.getChild("softmax")].map((list) => [...list]),
  };
}

async function readBack(
  name: string,
  keep: string[],
  options: Partial<RunOptions> = {},
) {
  const output = at("out.arrow");
  const report = await built.run({
    input: fixture(name),
    output,
    keep,
    emit: ["softmax"],
    dtype: "float64",
    force: true,
    ...options,
  });
  return { report, ...columnsOf(output) };
}

function expectSoftmax(found: number[][], rows = probabilities): void {
  expect(found.length).toBe(rows.length);
  for (const [r, row] of rows.entries())
    for (const [k, p] of row.entries())
      expect(Math.abs(((found[r]?.[k] as number) - p) / p)).toBeLessThan(1e-14);
}

const FILES: [name: string, keep: string[], options?: Partial<RunOptions>][] = [
  ["pyarrow-none", ALL],
  ["pyarrow-snappy", ALL],
  ["pyarrow-gzip", ALL],
  ["pyarrow-zstd", ALL],
  ["pyarrow-lz4", ALL],
  ["pyarrow-brotli", ALL],
  ["pyarrow-v2", ALL],
  ["pyarrow-small", ["id", "name"]],
  ["pyarrow-checksums", ["id", "name"]],
  ["pyarrow-no-arrow-schema", ALL],
  ["pyarrow-columns", ALL, { columns: "logit_*" }],
  ["polars", ["id", "name", "split", "kind"]],
  ["duckdb", ["id", "name"]],
];

describe("other writers' files give the numbers that those were given", () => {
  test.each(FILES)("%s", async (name, keep, options) => {
    const { report, values, softmax } = await readBack(
      `${name}.parquet`,
      keep,
      options,
    );
    expect(report.rows).toBe(expected.logits.length);
    expect(report.classes).toBe(expected.logits[0]?.length);
    expectSoftmax(softmax());
    for (const column of keep)
      expect(values(column), column).toEqual(expected.kept[column]);
  });

  test("columns that are not asked for are left alone", async () => {
    const { types, softmax } = await readBack("pyarrow-snappy.parquet", [
      "label",
    ]);
    expect(Object.keys(types)).toEqual(["row", "label", "softmax"]);
    expectSoftmax(softmax());
  });

  test("files without rows know their classes by the Arrow schema", async () => {
    for (const name of ["pyarrow-no-rows", "pyarrow-no-row-groups"]) {
      const { report, values } = await readBack(`${name}.parquet`, ALL);
      expect([report.rows, report.classes]).toEqual([0, 4]);
      expect(values("split")).toEqual([]);
    }
  });
});

/** What becomes of a run: its results, or the error without the file's name. */
async function outcome(input: string): Promise<string> {
  const output = at("twin.arrow");
  try {
    await built.run({ input, output, emit: ["softmax"], force: true });
  } catch (error) {
    const { code, message } = error as InstanceType<typeof built.SoftjacError>;
    return `${code} ${message.replace(input, "file")}`;
  }
  return JSON.stringify(columnsOf(output).softmax());
}

describe("what is said of a table in Arrow is said of it in Parquet", () => {
  const names = readdirSync(fixture(""))
    .filter((name) => name.endsWith(".arrow"))
    .map((name) => basename(name, ".arrow"));

  test("there are such twins", () => {
    expect(names.length).toBeGreaterThan(6);
  });

  test.each(names)("%s", async (name) => {
    const inArrow = await outcome(fixture(`${name}.arrow`));
    // the writer gives the values of lists another name in Parquet
    expect(await outcome(fixture(`${name}.parquet`))).toBe(
      inArrow.replaceAll("item:", "element:"),
    );
  });
});

describe("from standard input", () => {
  const name = "pyarrow-zstd.parquet";
  const args = ["run", "-", "--emit", "softmax", "--dtype", "float64"];

  function check({ status, stderr }: SpawnSyncReturns<string>, output: string) {
    expect([status, stderr]).toEqual([0, expect.any(String)]);
    expectSoftmax(columnsOf(output).softmax());
  }

  test("a pipe", () => {
    const output = at("piped.arrow");
    const command = `cat "${fixture(name)}" | "${process.execPath}" "${CLI}" ${args.join(" ")} -o "${output}"`;
    check(spawnSync("bash", ["-ec", command], { encoding: "utf8" }), output);
  });

  test("a file", () => {
    const output = at("redirected.arrow");
    const command = `"${process.execPath}" "${CLI}" ${args.join(" ")} -o "${output}" <"${fixture(name)}"`;
    check(spawnSync("bash", ["-ec", command], { encoding: "utf8" }), output);
  });
});

const folder = sharedFolder("variants");

test.skipIf(!folder)(
  "the same bytes as from the same table in Arrow, but for the input's name",
  async () => {
    const [arrow, parquet] = [at("arrow.arrow"), at("parquet.arrow")];
    const keep = ["id", "label", "split"];
    await built.run({ input: `${folder}/f32.arrow`, output: arrow, keep });
    await built.run({ input: `${folder}/fsl.parquet`, output: parquet, keep });
    const of = (path: string) => {
      const table = tableFromIPC(readFileSync(path));
      return JSON.stringify(
        table.names.map((name) =>
          [...table.getChild(name)].map((value) =>
            ArrayBuffer.isView(value) ? [...(value as Float32Array)] : value,
          ),
        ),
      );
    };
    expect(of(parquet)).toBe(of(arrow));
  },
);

describe("stopped, planned, verified", () => {
  test("an abort is heard while it is decoded, and nothing is left", async () => {
    const output = at("stopped.arrow");
    const controller = new AbortController();
    const running = built.run(
      { input: fixture("pyarrow-gzip.parquet"), output },
      { signal: controller.signal },
    );
    setImmediate(() => controller.abort());
    await expect(running).rejects.toBeInstanceOf(built.AbortedError);
    expect(
      readdirSync(dirname(output)).filter((name) => /stopped|tmp/.test(name)),
    ).toEqual([]);
  });

  test("a plan names the rows, and verify judges the results by the Parquet file", async () => {
    const input = fixture("pyarrow-brotli.parquet");
    const output = at("verified.arrow");
    const plan = await built.dryRun({ input, output });
    expect([plan.rows, plan.classes, plan.storage]).toEqual([
      60,
      4,
      "fixed-size-list",
    ]);
    await built.run({ input, output });
    const { status, stdout } = softjac("verify", output, "--input", input);
    expect([status, stdout]).toEqual([0, expect.any(String)]);
    const other = fixture("bad-row.parquet");
    expect(softjac("verify", output, "--input", other).status).toBe(65);
  });
});
