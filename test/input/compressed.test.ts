import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}.arrow`, import.meta.url));
const output = at("out.arrow");
const keep = ["id", "name", "flag", "split"];
const CODECS = ["lz4", "zstd"] as const;

/** What a run makes of a file, as another reader reads it. */
async function resultOf(input: string, more = {}): Promise<string> {
  await built.run({ input, output, keep, force: true, ...more });
  const table = tableFromIPC(readFileSync(output));
  const column = (name: string) => [...table.getChild(name)];
  const lists = (name: string) => column(name).map((list) => [...list]);
  return JSON.stringify([
    ...[lists("softmax"), lists("jacobian")],
    ...keep.map(column),
  ]);
}

const plain = await resultOf(fixture("compressed-not"));

describe.each(CODECS)("%s", (codec) => {
  const input = fixture(`compressed-${codec}`);

  test("gives what the plain file gives, kept columns and dictionaries too", async () => {
    expect(await resultOf(input)).toBe(plain);
    const checked = await built.verify({ output, input, sample: 10 });
    expect(checked).toMatchObject({ ok: true, problems: [] });
    expect((await built.inspect({ input })).compression).toEqual([
      codec === "lz4" ? "LZ4_FRAME" : "ZSTD",
    ]);
  });

  test("long runs", async () => {
    const runs = fixture(`runs-${codec}`);
    await built.run({ input: runs, output, emit: ["softmax"], force: true });
    const rows = 3000;
    const logits = Float64Array.from({ length: rows * 10 }, (_, n) => {
      const r = Math.floor(n / 10 / 75);
      return ((r * 7 + ((n % 10) % 5) * 13) % 23) / 2 - 4;
    });
    const expected = built.softmax(logits, { rows, classes: 10 });
    const found = [...tableFromIPC(readFileSync(output)).getChild("softmax")];
    expect(found.flatMap((row) => [...row])).toEqual([...expected]);
  });
});

test("results that another tool has compressed are read back and verified", async () => {
  // a file of pyarrow's with the columns of results, in both forms
  const logits = fixture("compressed-not");
  await built.run({ input: logits, output, force: true, emit: ["jacobian"] });
  const reader = await built.openJacobian(output);
  const expected = [...((await reader.block(7)) ?? [])];
  await reader.close();
  for (const codec of CODECS) {
    const again = fixture(`results-${codec}`);
    const other = await built.openJacobian(again);
    expect([...((await other.block(7)) ?? [])]).toEqual(expected);
    await other.close();
    const checked = await built.verify({
      output: again,
      input: logits,
      sample: 20,
    });
    expect(checked).toMatchObject({ ok: true, problems: [] });
  }
});
