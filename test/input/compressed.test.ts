import { readFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { fixture, resultOf } from "../support/compressed-result.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const output = at("out.arrow");
const CODECS = ["lz4", "zstd"] as const;

const plain = await resultOf(fixture("compressed-not"), output);

describe.each(CODECS)("%s", (codec) => {
  const input = fixture(`compressed-${codec}`);

  test("gives what the plain file gives, kept columns and dictionaries too", async () => {
    expect(await resultOf(input, output)).toBe(plain);
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
