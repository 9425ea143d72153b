import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromColumns, tableFromIPC, tableToIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { built } from "./support/built.js";
import { workDirectory } from "./support/logits-input.js";

// The result uncertainty was called doubt until version 0.1.0; the fixture is an output of that version.

const at = workDirectory();
const old = fileURLToPath(new URL("fixtures/doubt.arrow", import.meta.url));
const input = at("small.arrow");
await built.generate({ output: input, rows: 12, classes: 4, seed: 3 });

test("the old name of an option's value gives the result under its new name", async () => {
  const output = at("out.arrow");
  const emit = ["doubt", "softmax"] as never[];
  await built.run({ input, output, emit });
  const table = tableFromIPC(readFileSync(output));
  expect(table.names).toEqual(["row", "uncertainty", "softmax"]);
  const values = [...table.getChild("uncertainty")];
  expect([...tableFromIPC(readFileSync(old)).getChild("doubt")]).toEqual(
    values,
  );
  const logits = Float64Array.of(1, 2, 3);
  const options = { rows: 1, classes: 3 };
  expect(built.softmaxResults(logits, { ...options, emit } as never)).toEqual(
    built.softmaxResults(logits, {
      ...options,
      emit: ["uncertainty", "softmax"],
    }),
  );
});

test("a copied column of the old name is a column like any other", async () => {
  const own = at("own.arrow");
  const table = tableFromIPC(readFileSync(input));
  const columns = Object.fromEntries(
    ["id", "logits"].map((name) => [name, table.getChild(name)]),
  );
  const bytes = tableToIPC(
    tableFromColumns({ doubt: columns.id, logits: columns.logits } as never),
    { format: "file" },
  );
  writeFileSync(own, bytes as Uint8Array);
  for (const emit of [["uncertainty"], ["softmax"]] as const) {
    const output = at(`own-${emit}.arrow`);
    await built.run({ input: own, output, emit, keep: ["doubt"] });
    expect(await built.verify({ output, input: own })).toMatchObject({
      ok: true,
      problems: [],
      notCompared: ["doubt"],
    });
  }
});

test("old outputs are verified, shown and reported", async () => {
  const verified = await built.verify({ output: old, input });
  expect(verified).toMatchObject({ ok: true, problems: [] });
  const shown = await built.show({ results: old, row: 3 });
  const [expected] = [
    ...tableFromIPC(readFileSync(old)).getChild("doubt"),
  ].slice(3);
  expect(shown.uncertainty).toBe(expected);
  const report = await built.report({ results: old, output: at("page.html") });
  expect(report.confidence?.uncertainty?.rows).toBe(12);
});

test("a report of verify has its old names in JavaScript, not in JSON; report reads those of old files", async () => {
  const verified = await built.verify({ output: old, input });
  expect(verified.findings).toBe(verified.problems);
  expect(verified.otherFindings).toBe(verified.otherProblems);
  const json = JSON.stringify(verified);
  expect(json).not.toContain("indings");
  const report = at("verified.json");
  const found = ["row 3: expected 1, found 2"];
  for (const name of ["findings", "problems"]) {
    writeFileSync(
      report,
      JSON.stringify({ ...verified, problems: undefined, [name]: found }),
    );
    const { summary } = await built.report({
      results: old,
      output: at(`${name}.html`),
      verifyReport: report,
    });
    expect(summary.verified?.problems).toEqual(found);
  }
});
