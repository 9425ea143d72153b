import { mkdirSync, readFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import type { DatasetOptions } from "../../src/dataset/options.js";
import { typed } from "../cli/support.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { refused } from "../support/refused.js";
import { expectStatus, partOf, workOutputs } from "./support.js";

// Inputs without rows have the number of classes of the others.

const { at, newOutput } = workOutputs();
mkdirSync(at("in"));
type Rows = (number[] | null)[];
function write(name: string, rows: Rows, type = "list<float32>"): string {
  writeArrow(at(`in/${name}`), { logits: [rows, type] });
  return at(`in/${name}`);
}

/** Returns the softmax rows of every shard of a run. */
async function shardsOf(options: Partial<DatasetOptions>) {
  const output = newOutput();
  const common = {
    output,
    emit: ["softmax" as const],
    onBadRow: "null" as const,
  };
  const run = { inputs: [], ...common, ...options };
  const { shards } = await built.runDataset(run);
  const rows = Array.from({ length: shards }, (_, k) => {
    const table = tableFromIPC(readFileSync(partOf(output, k, shards)));
    const column = table.getChild("softmax");
    expect(column.type).toMatchObject({ stride: 3 });
    return [...column].map((row) => row && [...row]);
  });
  return { output, rows };
}

const softmaxOf = (row: number[]) => [
  ...Float32Array.from(
    built.softmax(Float64Array.from(row), { rows: 1, classes: 3 }),
  ),
];
const one = softmaxOf([1, 2, 3]);

test("lists without rows, or with only null lists, give shards of the others' classes", async () => {
  const inputs = [
    write("a.arrow", []),
    write("b.arrow", [
      [1, 2, 3],
      [0, 0, 1],
    ]),
    write("c.arrow", [null, null]),
    write("d.arrow", []),
  ];
  const { output, rows } = await shardsOf({ inputs });
  expect(rows).toEqual([[], [one, softmaxOf([0, 0, 1])], [null, null], []]);
  // The output states the number of classes, so that verify needs no other option.
  const part = partOf(output, 0, 4);
  expectStatus(typed`verify ${part} --input ${inputs[0]}`, 0);
});

test("fixed-size lists without rows may be the only inputs", async () => {
  const fixed = "fixed_size_list<float32>[3]";
  const inputs = [write("a.arrow", [], fixed), write("b.arrow", [], fixed)];
  expect((await shardsOf({ inputs })).rows).toEqual([[], []]);
});

test("no row in any input is an error", async () => {
  const inputs = [write("a.arrow", []), write("b.arrow", [null])];
  const expectNone = (options: Partial<DatasetOptions>, rows: string) =>
    refused(
      shardsOf(options),
      "ERR_INPUT_UNSUPPORTED",
      `${inputs[0]}: rows: ${rows}, so the number of classes is unknown; fixed-size lists state it without rows`,
    );
  const none = "no row of the 2 inputs has logits";
  await expectNone({ inputs }, none);
  await expectNone({ inputs, keepGoing: true }, none);
  await expectNone({ inputs: inputs.slice(0, 1) }, "no row has logits");
});

test("an empty file of another float type needs --dtype", async () => {
  const empty = write("a.arrow", [], "list<float64>");
  const inputs = [empty, write("b.arrow", [[1, 2, 3]])];
  await refused(
    shardsOf({ inputs }),
    "ERR_INPUT_UNSUPPORTED",
    /expected results of float32 as in b\.arrow, found float64; use --dtype float32 or --dtype float64 for all files$/,
  );
  const { rows } = await shardsOf({ inputs, dtype: "float32" });
  expect(rows).toEqual([[], [one]]);
});
