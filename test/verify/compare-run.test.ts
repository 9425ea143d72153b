import { readFileSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { SoftjacError } from "../../src/errors.js";
import type { ByteComparison } from "../../src/index.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { verify } from "../../src/verify/verify.js";
import { built } from "../support/built.js";
import { inputs, writeInputs } from "../support/inputs-input.js";
import { keptLogit, writeKept } from "../support/kept-input.js";
import { runsIn, upTo } from "../support/runs.js";

const { at, run: runIn, output } = runsIn();

// The sources have no compiled kernel beside them.
vi.mock(import("../../src/tasks/kernel-memory.js"), async (original) => {
  const { allocateKernelMemory, ...others } = await original();
  return {
    ...others,
    allocateKernelMemory: (bytes) => allocateKernelMemory(bytes, "plain"),
  };
});

const kept = at("kept.arrow");
writeKept(kept, 20);
const all = at("all.arrow");
writeInputs(all, inputs(40, 5), 13);

type Made = Omit<RunOptions, "input" | "output">;
const run = async (made: Made, input = kept, others: Made = {}) =>
  (await runIn({ input, column: "logits", ...made, ...others })).bytes;
const compare = async (input = kept) => {
  const { bytes } = await verify({
    input,
    output,
    column: "logits",
    all: true,
  });
  return bytes as ByteComparison;
};

test.each<[Made]>([
  [{ keep: ["id", "name", "flag"] }],
  [{ keep: ["weight"], layout: "csr", threshold: 0.05 }],
  [{ layout: "coo", topK: 4 }],
])(
  "a flipped bit at any byte of a file made with %j is found",
  async (made) => {
    const good = await run(made);
    const unseen: number[] = [];
    for (let k = 0; k < good.length; k += 139) {
      const bytes = Buffer.from(good);
      bytes[k] = (bytes[k] as number) ^ (1 << (k % 8));
      writeFileSync(output, bytes);
      const result = await compare().catch((error) => {
        if (error instanceof SoftjacError) return { message: error.message };
        throw error;
      });
      if (result.message === null) unseen.push(k);
    }
    // Only padding between buffers is not compared: zeros that nobody reads.
    expect(unseen.every((k) => good[k] === 0)).toBe(true);
    expect(unseen.length).toBeLessThan(good.length / 20);
  },
  120_000,
);

test("a difference is described by its record batch, column and value", async () => {
  const bytes = await run({});
  // The softmax of row 7, class 2, is found by its own value.
  const logits = Float32Array.from(upTo(4), (k) => keptLogit(7, k));
  const softmax = built.softmax(logits, { rows: 1, classes: 4 });
  const place = bytes.indexOf(Buffer.from(softmax.buffer, 8, 4));
  bytes[place] = (bytes[place] as number) ^ 1;
  writeFileSync(output, bytes);
  expect((await compare()).message).toMatch(
    /record batch 0: column softmax, table row \d+, value \d: expected \d+ at byte \d+, found \d+$/,
  );
});

test("another input is found by its results; files of another version are not compared", async () => {
  await run({}, all);
  const other = at("other-in.arrow");
  writeInputs(other, inputs(40, 5, 77), 13);
  const { message } = await compare(other);
  expect(message).toMatch(/record batch 0: column jacobian, table row 0/);

  const bytes = readFileSync(output).toString("latin1");
  const { version } = built;
  const newer = version.replace(/^\d/, "9");
  writeFileSync(output, bytes.replaceAll(version, newer), "latin1");
  expect(await compare(all)).toEqual({
    compared: false,
    message: `bytes not compared: the output was written by version ${newer}, this is ${version}`,
  });
});
