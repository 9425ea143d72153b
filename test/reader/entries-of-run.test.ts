import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { inputs } from "../support/inputs-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const rows = 400;
const classes = 9;
const shape = { rows, classes };
const { logits } = inputs(rows, classes, 21);
const bad = (r: number) => r % 50 === 49;
const input = at("in.arrow");
writeLogits(input, {
  ...shape,
  batchRows: [61],
  logit: (r, k) => (bad(r) ? Number.NaN : (logits[r * classes + k] as number)),
});

test.each([
  { layout: "csr", emit: ["jacobian"], onBadRow: "null" },
  {
    layout: "csr",
    emit: ["softmax", "jacobian", "uncertainty"],
    onBadRow: "skip",
  },
  { layout: "csr", emit: ["log_jacobian"], onBadRow: "skip" },
  { layout: "coo", emit: ["jacobian", "uncertainty"], onBadRow: "skip" },
  { layout: "coo", emit: ["log_jacobian"], onBadRow: "skip" },
] as const)(
  "$layout of $emit reads back as the blocks that memory has",
  async (made) => {
    const of = (made.emit as readonly string[]).includes("log_jacobian")
      ? "log_jacobian"
      : "jacobian";
    const blocks = built.softmaxResults(logits, { ...shape, emit: [of] })[
      of
    ] as Float64Array;
    for (const threshold of [0, 1e-5]) {
      const output = at("out.arrow");
      await built.run({ ...made, input, output, threshold, force: true });
      const reader = await built.openJacobian(output);
      expect(reader).toMatchObject({
        ...shape,
        layout: made.layout,
        result: of,
        threshold,
      });
      for (let r = 0; r < rows; r += 7) {
        const kept = blocks
          .subarray(r * classes ** 2, (r + 1) * classes ** 2)
          .map((x) => (Math.abs(x) >= threshold ? x : 0));
        if (!bad(r)) {
          expect((await reader.block(r))?.map((x) => x + 0)).toEqual(
            kept.map((x) => x + 0),
          );
          expect(await reader.entry(r, 3, 4)).toBe(kept[3 * classes + 4]);
        } else if (made.onBadRow === "null")
          expect(await reader.block(r)).toBe(null);
        else if (made.layout === "csr")
          await expect(reader.block(r)).rejects.toMatchObject({
            code: "ERR_ROW_MISSING",
          });
      }
      let seen = 0;
      for await (const batch of reader)
        for (let k = 0; k < batch.count; k++) {
          if (!bad(batch.rows[k] as number)) seen++;
        }
      expect(seen).toBe(rows - rows / 50);
      await reader.close();
    }
  },
);
