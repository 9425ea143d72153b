import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import {
  columnFromArray,
  fixedSizeList,
  float32,
  int32,
  tableFromColumns,
  tableToIPC,
} from "@uwdata/flechette";
import { type Table, tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Directories such as split=train are columns of the files in them.

const at = workDirectory();
const ROWS = 600;

function write(path: string, columns: Record<string, unknown> = {}): void {
  const logits = Array.from({ length: ROWS }, (_, r) => [r % 7, 1, 0]);
  const table = tableFromColumns([
    ...Object.entries(columns),
    ["logits", columnFromArray(logits, fixedSizeList(float32(), 3))],
  ] as never);
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), tableToIPC(table, { format: "file" }) as Uint8Array);
}

const tables = (folder: string) =>
  readdirSync(at(folder))
    .filter((name) => name.endsWith(".arrow"))
    .sort()
    .map((name) => tableFromIPC(readFileSync(at(`${folder}/${name}`))));

/** The value that all rows of a column have. */
function only(table: Table, name: string): unknown {
  const values = [...(table.getChild(name) ?? [])];
  expect(values).toHaveLength(ROWS);
  const [value] = values;
  expect(values.every((other) => other === value)).toBe(true);
  return value;
}

const typeOf = (table: Table, name: string) =>
  String(table.schema.fields.find((field) => field.name === name)?.type);

test("a dataset: text and integers, decoded and null values", async () => {
  for (const [name, split, part, code] of [
    ["a", "train", "-3", "1"],
    ["b", "b%C3%A9%20c", "10", "x"],
    ["c", "__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__", "2"],
  ])
    write(`in/split=${split}/part=${part}/code=${code}/${name}.arrow`);
  const options = {
    inputs: [at("in")],
    output: at("out"),
    keep: ["split", "p*", "code"],
  };
  await built.runDataset(options);
  const found = tables("out").map((table) => [
    only(table, "split"),
    only(table, "part"),
    only(table, "code"),
  ]);
  expect(found).toEqual([
    [null, null, "2"],
    ["bé c", 10n, "x"],
    ["train", -3n, "1"],
  ]);
  for (const table of tables("out"))
    expect(
      ["split", "part", "code"].map((name) => typeOf(table, name)),
    ).toEqual(["Utf8", "Int64", "Utf8"]);
});

test("verify needs neither the path nor other options", async () => {
  copyFileSync(at("in/split=train/part=-3/code=1/a.arrow"), at("copy.arrow"));
  const output = readdirSync(at("out"))
    .filter((name) => name.endsWith(".arrow"))
    .sort()
    .at(-1);
  const verified = await built.verify({
    input: at("copy.arrow"),
    output: at(`out/${output}`),
    all: true,
  });
  expect(verified.problems).toEqual([]);
  expect(verified.bytes).toEqual({ compared: true, message: null });
});

test("one file, in blocks and entries, with rows that are skipped", async () => {
  const input = at("in/split=train/part=-3/code=1/a.arrow");
  for (const layout of ["packed", "csr"] as const) {
    const output = at(`${layout}.arrow`);
    await built.run({ input, output, layout, keep: ["split", "part"] });
    const table = tableFromIPC(readFileSync(output));
    expect([only(table, "split"), only(table, "part")]).toEqual(["train", -3n]);
    expect(table.schema.metadata.get("softjac.partitions")).toBe(
      '[{"name":"split","value":"train","type":"utf8"},{"name":"part","value":"-3","type":"int64"}]',
    );
  }
});

test("labels: integers, and names of classes", async () => {
  write("labels/label=2/animal=cat/x.arrow");
  const input = at("labels/label=2/animal=cat/x.arrow");
  const expected = Array.from({ length: ROWS }, (_, r) => {
    const logits = [r % 7, 1, 0];
    const sum = logits.reduce((total, x) => total + Math.exp(x), 0);
    return Math.log(sum);
  });
  for (const options of [
    { label: "label" },
    { label: "animal", classNames: ["dog", "fox", "cat"] },
  ]) {
    const output = at("labelled.arrow");
    await built.run({
      input,
      output,
      emit: ["cross_entropy"],
      force: true,
      ...options,
    });
    const table = tableFromIPC(readFileSync(output));
    const found = [...(table.getChild("cross_entropy") ?? [])] as number[];
    for (const [r, value] of found.entries())
      expect(value).toBeCloseTo(expected[r] as number, 5);
    const { problems } = await built.verify({ input, output, all: true });
    expect(problems).toEqual([]);
  }
  await expect(
    built.run({
      input,
      output: at("none"),
      emit: ["gradient"],
      label: "animal",
      classNames: ["a", "b", "c"],
    }),
  ).rejects.toThrow(
    `${input}: directory animal=cat: expected one of the names of the classes (a, b, c); give them with --class-names`,
  );
});

test("a column of the file wins, and no file has a partition that is not named", async () => {
  const values = Array.from({ length: ROWS }, (_, r) => r);
  write("real/split=train/x.arrow", {
    split: columnFromArray(values, int32()),
  });
  const input = at("real/split=train/x.arrow");
  await built.run({ input, output: at("real.arrow"), keep: ["split"] });
  const table = tableFromIPC(readFileSync(at("real.arrow")));
  expect([...(table.getChild("split") ?? [])]).toEqual(values);
  expect(table.schema.metadata.has("softjac.partitions")).toBe(false);
  await expect(
    built.run({ input, output: at("none"), keep: ["part"] }),
  ).rejects.toThrow(
    "--keep part: no such column; the file has split: int32, logits: fixed_size_list<float32>[3]",
  );
});
