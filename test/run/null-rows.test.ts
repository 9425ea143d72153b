import { readFileSync } from "node:fs";
import { fixedSizeList, float64, int32, utf8 } from "@uwdata/flechette";
import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Validity bits count from the start of each record batch, in inputs and outputs.

const ROWS = 700;
const CLASSES = 200;
const ALL = Array.from({ length: ROWS }, (_, row) => row);
const at = workDirectory();
const input = at("in.arrow");
const isBad = (row: number) => row % 97 === 5;
/** Pattern whose period divides neither 8 nor the rows of a batch. */
const isNull = (row: number) => row % 11 === 4 || row % 23 === 7;

writeInput();

test.each(["bsr", "csr", "factored"] as const)(
  "layout %s: bad rows are null in every record batch, and so are nulls of copied columns",
  async (layout) => {
    const output = at(`${layout}.arrow`);
    await built.run({
      input,
      output,
      layout,
      onBadRow: "null",
      threads: 2,
      keep: ["id", "name"],
      ...(layout === "csr" && { threshold: 1e-9 }),
    });
    const table = tableFromIPC(readFileSync(output));
    expect(table.numRows).toBe(ROWS);
    const { fields } = table.schema;
    if (layout !== "factored") expect(table.batches.length).toBeGreaterThan(2);
    expect(fields.map(({ name }) => name)).toContain("softmax");
    for (const { name } of fields) {
      const column = table.getChild(name);
      const wanted =
        name === "row"
          ? () => false
          : name === "id" || name === "name"
            ? isNull
            : isBad;
      expect(
        ALL.filter((row) => !column?.isValid(row)),
        name,
      ).toEqual(ALL.filter(wanted));
    }
    const kept = ALL.filter((row) => !isNull(row));
    const copied = (name: string) =>
      kept.map((row) => table.getChild(name)?.get(row));
    expect(copied("id")).toEqual(kept.map((row) => 10 * row));
    expect(copied("name")).toEqual(kept.map((row) => `row ${row}`));
  },
);

function writeInput(): void {
  const id = ALL.map((row) => (isNull(row) ? null : 10 * row));
  const name = ALL.map((row) => (isNull(row) ? null : `row ${row}`));
  const logits = ALL.map((row) =>
    Array.from({ length: CLASSES }, (_, k) =>
      isBad(row) && k === 3 ? Number.NaN : Math.sin(row + k),
    ),
  );
  const columns: Columns = {
    id: [id, int32()],
    name: [name, utf8()],
    logits: [logits, fixedSizeList(float64(), CLASSES)],
  };
  writeArrow(input, columns, { batchRows: 301 });
}
