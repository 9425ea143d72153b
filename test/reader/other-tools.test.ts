import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { importable, python } from "../interop/python.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();
const [rows, classes] = [11, 4];
const size = classes * classes;

/** What pyarrow writes, by file: options that it needs, rows that are null, or left out, or entries over a threshold. */
const FILES = [
  { name: "bsr" },
  { name: "null", isNull: (row: number) => row % 5 === 2 },
  { name: "sliced", isNull: (row: number) => row % 5 === 2, first: 3 },
  { name: "tensor" },
  { name: "list" },
  { name: "compressed" },
  { name: "packed", options: { classes } },
  { name: "csr", options: { classes }, over: 0.05 },
  { name: "coo", options: { classes }, over: 0.05 },
];

test.skipIf(!importable("numpy, pyarrow"))(
  "blocks that pyarrow has written",
  async () => {
    const script = fileURLToPath(new URL("write.py", import.meta.url));
    const { status, stderr } = spawnSync(python, [script, dirname(at("x"))], {
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const blocks = new Float64Array(
      new Uint8Array(readFileSync(at("blocks.bin"))).buffer,
    );
    for (const { name, options, isNull, over = 0, first = 0 } of FILES) {
      await using reader = await built.openJacobian(
        at(`${name}.arrow`),
        options,
      );
      expect(reader, name).toMatchObject({ rows, classes });
      const expected = (row: number) =>
        isNull?.(row)
          ? null
          : blocks
              .slice(row * size, (row + 1) * size)
              .map((x) => (Math.abs(x) > over ? x : 0));
      for (let row = rows - 1; row >= first; row--)
        expect(await reader.block(row), `${name} ${row}`).toEqual(
          expected(row),
        );
      if (first > 0)
        await expect(reader.block(0)).rejects.toThrow(built.RowMissingError);
      for await (const batch of reader)
        for (let k = 0; k < batch.count; k++)
          expect(await batch.block(k)).toEqual(
            expected(batch.rows[k] as number),
          );
    }
    const opened = built.openJacobian(at("large.arrow"));
    await expect(opened).rejects.toThrow(built.InputUnsupportedError);
    await expect(opened).rejects.toThrow("found large_list<float64>");
  },
);
