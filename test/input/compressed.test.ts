import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { textOf } from "../support/damaged-runs.js";
import { inputRuns } from "../support/input-runs.js";

// Compressed files of pyarrow.

const { output, tableOf, valuesOf } = inputRuns();
const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}.arrow`, import.meta.url));

test.each([
  ["lz4", "LZ4_FRAME"],
  ["zstd", "ZSTD"],
])("%s gives the results of the uncompressed file", async (codec, name) => {
  const keep = ["id", "name", "flag", "split"];
  const resultsOf = async (file: string) => {
    const table = await tableOf(fixture(file), { keep });
    return textOf(table.names.map((name) => [...table.getChild(name)]));
  };
  const input = `compressed-${codec}`;
  expect(await resultsOf(input)).toBe(await resultsOf("compressed-not"));
  const { compression } = await built.inspect({ input: fixture(input) });
  expect(compression).toEqual([name]);
});

test.each(["lz4", "zstd"])("long runs of equal values (%s)", async (codec) => {
  const emit = { emit: ["softmax"] };
  const found = await valuesOf(fixture(`runs-${codec}`), "softmax", emit);
  const logits = Float64Array.from({ length: 30_000 }, (_, n) => {
    const step = Math.floor(n / 750);
    return ((step * 7 + (n % 5) * 13) % 23) / 2 - 4;
  });
  const expected = built.softmax(logits, { rows: 3000, classes: 10 });
  expect(found.flat()).toEqual([...expected]);
});

test.each(["lz4", "zstd"])(
  "results that pyarrow wrote again with %s",
  async (codec) => {
    const blockOf = async (path: string) => {
      const reader = await built.openJacobian(path);
      const block = await reader.block(7);
      await reader.close();
      return [...(block ?? [])];
    };
    const input = fixture("compressed-not");
    await tableOf(input, { emit: ["jacobian"] });
    const other = fixture(`results-${codec}`);
    expect(await blockOf(other)).toEqual(await blockOf(output));
    const report = await built.verify({ output: other, input, sample: 20 });
    expect(report).toMatchObject({ ok: true, problems: [] });
  },
);
