import { writeFileSync } from "node:fs";
import { tableFromArrays, tableToIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { openLogits } from "../../../src/input/open-logits.js";
import { npy, zip } from "../../support/array-files.js";
import { workDirectory } from "../../support/logits-input.js";

// The axes that make up the rows: all but the classes'.

const at = workDirectory();
const input = at("in");
const open = { keep: [], ownNames: [], inputs: [] };
const zeros = (...shape: number[]) =>
  npy(new Float64Array(shape.reduce((a, b) => a * b, 1)), shape);
const arrow = tableToIPC(
  tableFromArrays({ a: Float64Array.of(1, 2, 3), b: Float64Array.of(4, 5, 6) }),
  { format: "file" },
) as Uint8Array;

test.each<
  [
    name: string,
    file: Uint8Array,
    columns: string | undefined,
    leading: number[],
  ]
>([
  ["two dimensions", zeros(4, 3), undefined, [4]],
  ["three dimensions", zeros(5, 2, 3), undefined, [5, 2]],
  [
    "arrays of the same inner axes",
    zip({ "b_0.npy": zeros(5, 2, 3), "b_1.npy": zeros(1, 2, 3) }),
    "b_*",
    [6, 2],
  ],
  [
    "arrays of other inner axes",
    zip({ "b_0.npy": zeros(5, 2, 3), "b_1.npy": zeros(1, 4, 3) }),
    "b_*",
    [14],
  ],
  ["columns", arrow, "a,b", [3]],
])("the axes of the rows of %s", async (_, file, columns, leading) => {
  writeFileSync(input, file);
  const logits = await openLogits(input, { ...open, columns });
  logits.close();
  expect(logits).toMatchObject({
    leading,
    rows: leading.reduce((a, b) => a * b, 1),
  });
});
