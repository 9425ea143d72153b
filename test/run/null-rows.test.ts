import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { writeArrow } from "../support/arrow-columns.js";
import { runsIn, upTo } from "../support/runs.js";

// Validity bits count from the start of each record batch, in inputs and outputs.

const CLASSES = 200;
const ALL = upTo(700);
const { input, run } = runsIn();
const isBad = (row: number) => row % 97 === 5;
/** Pattern whose period divides neither 8 nor the rows of a batch. */
const isNull = (row: number) => row % 11 === 4 || row % 23 === 7;
const orNull = <T>(value: (row: number) => T) =>
  ALL.map((row) => (isNull(row) ? null : value(row)));
const logits = ALL.map((row) =>
  upTo(CLASSES).map((k) =>
    isBad(row) && k === 3 ? Number.NaN : Math.sin(row + k),
  ),
);
const id = orNull((row) => 10 * row);
const name = orNull((row) => `row ${row}`);
writeArrow(
  input,
  {
    ...{ id: [id, "int32"], name: [name, "utf8"] },
    logits: [logits, `fixed_size_list<float64>[${CLASSES}]`],
  },
  { batchRows: 301 },
);

test.each(["bsr", "csr", "factored"] as const)(
  "layout %s: bad rows are null in every record batch, and so are nulls of copied columns",
  async (layout) => {
    const { bytes } = await run({
      ...{ layout, onBadRow: "null", threads: 2, keep: ["id", "name"] },
      ...(layout === "csr" && { threshold: 1e-9 }),
    });
    const table = tableFromIPC(bytes);
    expect(table.numRows).toBe(ALL.length);
    if (layout !== "factored") expect(table.batches.length).toBeGreaterThan(2);
    const wanted = { row: () => false, id: isNull, name: isNull };
    const names = table.schema.fields.map(({ name }) => name);
    expect(names).toContain("softmax");
    for (const name of names) {
      const isWanted = wanted[name as keyof typeof wanted] ?? isBad;
      const column = table.getChild(name);
      const nulls = ALL.filter((row) => !column?.isValid(row));
      expect(nulls, name).toEqual(ALL.filter(isWanted));
    }
    expect([...(table.getChild("id") ?? [])]).toEqual(id);
    expect([...(table.getChild("name") ?? [])]).toEqual(name);
  },
);
