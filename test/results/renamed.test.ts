import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromColumns, tableFromIPC, tableToIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { outputOf, runsIn } from "../support/runs.js";

// The result uncertainty was called doubt until version 0.1.0; the fixture is an output of that version.

const { at, run, input, output } = runsIn();
const old = fileURLToPath(new URL("../fixtures/doubt.arrow", import.meta.url));
const doubt = outputOf(old).column("doubt");
await built.generate({ output: input, rows: 12, classes: 4, seed: 3 });

test("the old name of an option's value gives the result under its new name", async () => {
  const emit = ["doubt", "softmax"] as never[];
  const { names, column } = await run({ emit });
  expect(names).toEqual(["row", "uncertainty", "softmax"]);
  // Version 0.1 rounded twice.
  for (const [n, value] of Array.from(column("uncertainty")).entries())
    expect(Math.abs(value - doubt[n]) / value).toBeLessThan(2 ** -51);
  const inMemory = (emit: readonly string[]) => {
    const options = { rows: 1, classes: 3, emit: emit as never };
    return built.softmaxResults(Float64Array.of(1, 2, 3), options);
  };
  expect(inMemory(emit)).toEqual(inMemory(["uncertainty", "softmax"]));
});

test.each(["uncertainty", "softmax"] as const)(
  "a copied column of the old name is a column like any other, beside %s",
  async (result) => {
    const own = at("own.arrow");
    const table = tableFromIPC(readFileSync(input));
    const [id, logits] = ["id", "logits"].map((name) => table.getChild(name));
    const columns = tableFromColumns({ doubt: id, logits } as never);
    const bytes = tableToIPC(columns, { format: "file" });
    writeFileSync(own, bytes as Uint8Array);
    await run({ input: own, emit: [result], keep: ["doubt"] });
    expect(await built.verify({ output, input: own })).toMatchObject({
      ...{ ok: true, problems: [], notCompared: ["doubt"] },
    });
  },
);

test("old outputs are verified, shown and reported", async () => {
  const verified = await built.verify({ output: old, input });
  expect(verified).toMatchObject({ ok: true, problems: [] });
  const shown = await built.show({ results: old, row: 3 });
  expect(shown.uncertainty).toBe(doubt[3]);
  const report = await built.report({ results: old, output: at("page.html") });
  expect(report.confidence?.uncertainty?.rows).toBe(12);
});

test.each(["findings", "problems"])(
  "report reads %s of verify, whose name was findings in version 0.1.0",
  async (name) => {
    const verified = await built.verify({ output: old, input });
    const verifyReport = at("verified.json");
    const found = ["row 3: expected 1, found 2"];
    const stored = { ...verified, problems: undefined, [name]: found };
    writeFileSync(verifyReport, JSON.stringify(stored));
    const page = { results: old, output: at(`${name}.html`), verifyReport };
    const { summary } = await built.report(page);
    expect(summary.verified?.problems).toEqual(found);
  },
);
