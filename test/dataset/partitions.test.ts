import fs from "node:fs";
import { dirname } from "node:path";
import { type Table, tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import type { RunOptions } from "../../src/options/run-options.js";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { refused } from "../support/refused.js";

// Directories such as split=train are columns of the files in them.

const at = workDirectory();
const ROWS = 600;
const logits = Array.from({ length: ROWS }, (_, r) => [r % 7, 1, 0]);

function write(name: string, columns: Columns = {}): string {
  fs.mkdirSync(dirname(at(name)), { recursive: true });
  const list = "fixed_size_list<float32>[3]";
  writeArrow(at(name), { ...columns, logits: [logits, list] });
  return at(name);
}

const tableOf = (path: string) => tableFromIPC(fs.readFileSync(path));
const valuesOf = (table: Table, name: string) =>
  Array.from(table.getChild(name) ?? []);

/** Runs over one input, and returns the output and its path. */
async function tableFrom(input: string, options: Partial<RunOptions>) {
  const output = at("out.arrow");
  await built.run({ input, output, force: true, ...options });
  return { output, table: tableOf(output) };
}

/** Returns the value that all rows of a column have. */
function only(table: Table, name: string): unknown {
  const values = valuesOf(table, name);
  expect(values).toEqual(Array(ROWS).fill(values[0]));
  return values[0];
}

const train = write("in/split=train/part=-3/code=1/a.arrow");

test("a dataset has columns of text and integers, with decoded and null values", async () => {
  write("in/split=b%C3%A9%20c/part=10/code=x/b.arrow");
  const none = "__HIVE_DEFAULT_PARTITION__";
  write(`in/split=${none}/part=${none}/code=2/c.arrow`);
  const keep = ["split", "p*", "code"];
  await built.runDataset({ inputs: [at("in")], output: at("out"), keep });
  const names = ["split", "part", "code"];
  const shards = fs.readdirSync(at("out")).filter((x) => x.endsWith(".arrow"));
  const tables = shards.map((name) => tableOf(at(`out/${name}`)));
  const found = tables.map((table) => names.map((name) => only(table, name)));
  const columns = [null, null, "2", "bé c", 10n, "x", "train", -3n, "1"];
  expect(found.flat()).toEqual(columns);
  for (const { schema } of tables)
    expect(
      schema.fields
        .filter(({ name }) => names.includes(name))
        .map(({ name, type }) => `${name}: ${type}`)
        .sort(),
    ).toEqual(["code: Utf8", "part: Int64", "split: Utf8"]);
  // The output states its partitions, so that verify needs neither the path nor other options.
  fs.copyFileSync(train, at("copy.arrow"));
  const output = at(`out/${shards.at(-1)}`);
  const input = at("copy.arrow");
  expect(await built.verify({ input, output, all: true })).toMatchObject({
    ...{ problems: [], bytes: { compared: true, message: null } },
  });
});

test.each(["packed", "csr"] as const)("one file: %s", async (layout) => {
  const keep = ["split", "part"];
  const { table } = await tableFrom(train, { layout, keep });
  expect(keep.map((name) => only(table, name))).toEqual(["train", -3n]);
  expect(table.schema.metadata.get("softjac.partitions")).toBe(
    '[{"name":"split","value":"train","type":"utf8"},{"name":"part","value":"-3","type":"int64"}]',
  );
});

test("labels are integers or names of classes", async () => {
  const input = write("labels/label=2/animal=cat/code=20/x.arrow");
  // The logit of class 2 is 0.
  const expected = logits.map((row) =>
    Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)),
  );
  for (const options of [
    { label: "label" },
    { label: "animal", classNames: ["dog", "fox", "cat"] },
    { label: "code", classNames: ["10", "30", "20"] },
  ]) {
    const emit = ["cross_entropy" as const];
    const { output, table } = await tableFrom(input, { emit, ...options });
    for (const [r, value] of valuesOf(table, "cross_entropy").entries())
      expect(value).toBeCloseTo(expected[r] as number, 5);
    expect(valuesOf(table, "cross_entropy")).toHaveLength(ROWS);
    const { problems } = await built.verify({ input, output, all: true });
    expect(problems).toEqual([]);
  }
  const classNames = ["a", "b", "c"];
  await refused(
    tableFrom(input, { emit: ["gradient"], label: "animal", classNames }),
    "ERR_INPUT_UNSUPPORTED",
    `${input}: directory animal: "cat" is not the name of a class (a, b, c); add it to --class-names, or use null for rows without a label`,
  );
  const others = { label: "code", classNames: ["1", "2", "3"] };
  await refused(
    tableFrom(input, { emit: ["gradient"], ...others }),
    "ERR_INPUT_UNSUPPORTED",
    `${input}: directory code: "20" is not the name of a class (1, 2, 3); add it to --class-names, or use null for rows without a label`,
  );
  const none = write("labels/code=-1/x.arrow");
  const { table } = await tableFrom(none, {
    ...{ emit: ["cross_entropy"], label: "code", onBadRow: "null" },
    classNames: ["10", "30", "20"],
  });
  expect(only(table, "cross_entropy")).toBe(null);
});

test("a column of the file has precedence; directories that are not named are no columns", async () => {
  const values = Array.from({ length: ROWS }, (_, r) => r);
  const input = write("real/split=train/x.arrow", { split: [values, "int32"] });
  const { table } = await tableFrom(input, { keep: ["split"] });
  expect(valuesOf(table, "split")).toEqual(values);
  expect(table.schema.metadata.has("softjac.partitions")).toBe(false);
  await refused(
    tableFrom(input, { keep: ["part"] }),
    "ERR_LOGITS_COLUMN",
    /--keep part: no such column; the file has split: int32, logits: fixed_size_list<float32>\[3\]/,
  );
});
