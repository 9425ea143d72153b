import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { Field, FixedSizeList, Float32, Float64, List } from "apache-arrow";
import { beforeEach, expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { writeResults } from "../support/results-file.js";

// Files without rows in a directory: they take the number of classes from the others.

const at = workDirectory();
const folder = at("in");
const item = new Field("item", new Float32(), true);
const LISTS = new List(item);

let count = 0;
let output = "";
beforeEach(() => {
  output = at(`out-${++count}`);
});

function write(name: string, rows: (number[] | null)[], type = LISTS): string {
  mkdirSync(folder, { recursive: true });
  writeResults(`${folder}/${name}`, { columns: [["logits", type, rows]] });
  return `${folder}/${name}`;
}

function partsOf(shards: number): (number[] | null)[][] {
  return Array.from({ length: shards }, (_, k) => {
    const name = `part-${String(k).padStart(5, "0")}-of-${String(shards).padStart(5, "0")}.arrow`;
    const table = tableFromIPC(readFileSync(`${output}/${name}`));
    expect(table.getChild("softmax").type).toMatchObject({ stride: 3 });
    return [...table.getChild("softmax")].map((row) => row && [...row]);
  });
}

const softmaxOf = (row: number[]) => [
  ...Float32Array.from(
    built.softmax(Float64Array.from(row), { rows: 1, classes: 3 }),
  ),
];

const options = { emit: ["softmax"] as ["softmax"], onBadRow: "null" as const };

test("lists without rows, or with null lists alone, give shards of the others' classes", async () => {
  const inputs = [
    write("a.arrow", []),
    write("b.arrow", [
      [1, 2, 3],
      [0, 0, 1],
    ]),
    write("c.arrow", [null, null]),
    write("d.arrow", []),
  ];
  const report = await built.runDataset({ inputs, output, ...options });
  expect(report).toMatchObject({ rows: 4 });
  const rows = [softmaxOf([1, 2, 3]), softmaxOf([0, 0, 1])];
  expect(partsOf(4)).toEqual([[], rows, [null, null], []]);
  // The output states the number of classes, so that verify needs no other option.
  const part = `${output}/part-00000-of-00004.arrow`;
  const { status, stderr } = softjac("verify", part, "--input", `${inputs[0]}`);
  expect(status, stderr).toBe(0);
});

test("fixed-size lists without rows have a shard, too, and may be the only ones", async () => {
  const fixed = new FixedSizeList(3, item) as unknown as List;
  const inputs = [write("a.arrow", [], fixed), write("b.arrow", [], fixed)];
  await built.runDataset({ inputs, output, ...options });
  expect(partsOf(2)).toEqual([[], []]);
});

test("no row in any input: an error in one sentence", async () => {
  const inputs = [write("a.arrow", []), write("b.arrow", [null])];
  for (const keepGoing of [false, true])
    await expect(
      built.runDataset({ inputs, output, ...options, keepGoing }),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_UNSUPPORTED",
      message: `${inputs[0]}: rows: no row of the 2 inputs has logits, so the number of classes is unknown; fixed-size lists state it without rows`,
    });
  await expect(
    built.runDataset({ inputs: inputs.slice(0, 1), output, ...options }),
  ).rejects.toMatchObject({
    message: `${inputs[0]}: rows: no row has logits, so the number of classes is unknown; fixed-size lists state it without rows`,
  });
});

test("an empty file of another float type says --dtype", async () => {
  const double = new List(new Field("item", new Float64(), true));
  const inputs = [
    write("a.arrow", [], double as unknown as List),
    write("b.arrow", [[1, 2, 3]]),
  ];
  const message =
    /expected results of float32 as in b\.arrow, found float64; use --dtype float32 or --dtype float64 for all files$/;
  await expect(
    built.runDataset({ inputs, output, ...options }),
  ).rejects.toThrow(message);
  await built.runDataset({ inputs, output, ...options, dtype: "float32" });
  expect(partsOf(2)).toEqual([[], [softmaxOf([1, 2, 3])]]);
});

test("files that pipelines put beside data are left alone, unless they are named", async () => {
  const input = at("pipeline");
  mkdirSync(`${input}/.hidden`, { recursive: true });
  const source = readFileSync(write("a.arrow", [[1, 2, 3]]));
  for (const name of ["b.arrow", "_metadata", ".b.arrow.crc", ".hidden/c"])
    writeFileSync(`${input}/${name}`, source);
  for (const name of ["_SUCCESS", "b.arrow.crc", "schema.json", "notes.txt"])
    writeFileSync(`${input}/${name}`, "");
  const warnings: string[] = [];
  await built.runDataset(
    { inputs: [input], output, ...options },
    {
      onEvent: (event) => {
        if (event.event === "warning") warnings.push(event.message);
      },
    },
  );
  expect(partsOf(1)).toEqual([[softmaxOf([1, 2, 3])]]);
  expect(warnings).toEqual([
    "6 files are ignored because of the name: .b.arrow.crc, _SUCCESS, _metadata, b.arrow.crc, notes.txt, schema.json; give the path of such a file to read it",
  ]);
  output = at("named");
  const inputs = [`${input}/_metadata`, `${input}/.b.arrow.crc`];
  await built.runDataset({ inputs, output, ...options });
  expect(partsOf(2)).toEqual(Array(2).fill([softmaxOf([1, 2, 3])]));
});
