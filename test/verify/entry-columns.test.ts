import { readFileSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { verify } from "../../src/verify/verify.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// A writer that stores j in the column i, and i in j: the table that it shares with the readers is wrong.
vi.mock(import("../../src/results/columns.js"), async (original) => {
  const module = await original();
  const SWAPPED = { i: "columns", j: "indices" } as const;
  return {
    ...module,
    tableColumns: (...args: Parameters<typeof module.tableColumns>) =>
      module.tableColumns(...args).map((column) => {
        const kind = SWAPPED[column.name as "i" | "j"];
        return kind ? { ...column, source: { kind } } : column;
      }),
  };
});

const at = workDirectory();
const [input, output] = [at("in.arrow"), at("out.arrow")];
const logit = (r: number, k: number) => Math.sin(7 * r + k);
writeLogits(input, { rows: 9, classes: 3, logit });

test.each(["jacobian", "log_jacobian"] as const)(
  "coo, %s: i and j are found by their documented names, not by the table of the writer",
  async (result) => {
    const emit = [result];
    const options = { input, output, emit, layout: "coo" } as const;
    await built.run({ ...options, force: true });
    expect(await verify({ input, output })).toMatchObject({ ok: true });
    const bytes = readFileSync(output);
    renameColumns(bytes);
    writeFileSync(output, bytes);
    expect(await verify({ input, output })).toMatchObject({ ok: false });
  },
);

/** Exchanges the names i and j in the schemas of an Arrow file: strings of flatbuffers, with their length and a final 0. */
function renameColumns(bytes: Buffer): void {
  const named = (name: string) => Buffer.from(`\x01\0\0\0${name}\0`, "latin1");
  const [i, j] = ["i", "j"].map(named) as [Buffer, Buffer];
  for (let at = 0; at < bytes.length; at++) {
    const found = bytes.subarray(at, at + i.length);
    const other = found.equals(i) ? j : found.equals(j) ? i : null;
    other?.copy(bytes, at);
  }
}
