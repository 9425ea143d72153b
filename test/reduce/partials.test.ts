import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tableFromIPC } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { EffectsOptions, ReduceOptions } from "../../src/index.js";
import { softjacIn } from "../cli/support.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { stepOf } from "../support/every-call.js";
import { workDirectory } from "../support/logits-input.js";
import { columnsOf, drawn, writeMatrix } from "../support/sums-files.js";

// Partial sums of several commands, merged, have the bytes of one command over all inputs.

const at = workDirectory();
const B = [
  [0.4, -0.3],
  [0.8, -0.5],
  [-0.2, 0.3],
];
const data = drawn(
  3000,
  B.map((row) => [0, ...row]),
  4,
);
const slice = (from: number, to: number) =>
  Object.fromEntries(
    Object.entries(data).map(([name, all]) => [name, all.slice(from, to)]),
  ) as unknown as typeof data;
const DAY = 86_400_000;
/** Writes rows, with dates of which each file has others, some before 1970, and with strings that file a lacks. */
function write(name: string, from: number, to: number): string {
  const rows = slice(from, to);
  const dates = (each: number) =>
    rows.x.map((_, r) =>
      r % 7 === 0 ? null : new Date(each * ((r % 5) + from / 1024 - 3)),
    );
  const texts = rows.group.map((text) => (name === "a" ? null : text));
  writeArrow(at(`${name}.arrow`), {
    ...columnsOf(rows),
    day: [dates(DAY), "date_day"],
    moment: [dates(DAY * 366), "date_millisecond"],
    rare: [texts, name === "c" ? "dictionary<int8, utf8>" : "utf8"],
  });
  return at(`${name}.arrow`);
}
const inputs = [
  write("a", 0, 1024),
  write("b", 1024, 2048),
  write("c", 2048, 3000),
];
const ROWS = {
  ...{ features: "a,b", intercept: true, label: "label", weight: "w" },
  coefficients: writeMatrix(at("B.npy"), B),
};
const covarianceFile = writeMatrix(
  at("V.npy"),
  Array.from({ length: 6 }, (_, i) =>
    Array.from({ length: 6 }, (_, j) => (i === j ? 0.01 : 0)),
  ),
);

let made = 0;
const next = () => at(`out ${made++}.arrow`);

const REDUCE: Record<string, Partial<ReduceOptions>> = {
  "all rows": { emit: ["jacobian", "loglik", "score", "fisher", "kfac"] },
  "by group": { emit: ["softmax", "accuracy"], by: ["group"] },
  "by dates": { emit: ["softmax", "accuracy"], by: ["day", "moment"] },
  "by strings that one part lacks": { emit: ["loglik"], by: ["rare"] },
};
const EFFECTS: Record<string, Partial<EffectsOptions>> = {
  "all rows": { of: ["dydx", "coefficients"], contrast: ["a"] },
  "by group": { by: ["group"], of: ["eyex", "probability"] },
  "by a date": { by: ["day"], covariance: "none" },
  "a covariance from a file": { covarianceFile, by: ["group"] },
  "at the mean": { at: "mean", covariance: "none" },
};

describe.each(Object.entries(REDUCE))("reduce: %s", (_, options) => {
  test("parts in any order, merged at once or in steps", async () => {
    const write = async (inputs: string[], partial: boolean) => {
      const output = next();
      await built.reduce({ ...ROWS, ...options, inputs, output, partial });
      return output;
    };
    const expected = readFileSync(await write(inputs, false));
    const parts: string[] = [];
    for (const input of inputs) parts.push(await write([input], true));
    const [a, b, c] = parts as [string, string, string];
    const once = next();
    const report = await built.mergePartials({
      inputs: [a, c, b],
      output: once,
    });
    expect(report).toMatchObject({ status: "done", rows: 3000 });
    expect(readFileSync(once)).toEqual(expected);
    const two = next();
    await built.mergePartials({ inputs: [b, a], output: two, partial: true });
    const all = next();
    await built.mergePartials({ inputs: [two, c], output: all });
    expect(readFileSync(all)).toEqual(expected);
  });
});

describe.each(Object.entries(EFFECTS))("effects: %s", (_, options) => {
  test("have the effects of one command", async () => {
    const own = { ...ROWS, ...options };
    const expected = await built.effects({ ...own, inputs });
    const parts: string[] = [];
    for (const input of inputs) {
      const output = next();
      await built.effects({ ...own, inputs: [input], output, partial: true });
      parts.push(output);
    }
    const merged = await built.mergePartials({ inputs: parts.reverse() });
    expect(merged).toMatchObject({
      ...{ effects: expected.effects, rows: 3000 },
      newtonDecrement: expected.newtonDecrement,
    });
  });
});

describe("a partial names its inputs as the user does", () => {
  mkdirSync(at("private"));
  for (const [k, name] of ["a", "b"].entries())
    writeFileSync(
      at(`private/${name}.arrow`),
      readFileSync(inputs[k] as string),
    );
  const words =
    "--features a,b --intercept --coefficients B.npy --label label --partial".split(
      " ",
    );
  const partial = (input: string, output: string) =>
    softjacIn({ cwd: at("") }, "effects", input, ...words, "-o", output);

  test("without the directories above it", () => {
    expect(partial("private/a.arrow", "p.arrow").stderr).not.toContain(
      "expected",
    );
    const bytes = readFileSync(at("p.arrow"));
    expect(bytes.includes("private/a.arrow")).toBe(true);
    expect(bytes.includes(at("private"))).toBe(false);
    const { metadata } = tableFromIPC(bytes).schema;
    const head = JSON.parse(metadata.get("softjac.partial") as string);
    expect(head.inputs).toEqual([
      { path: "private/a.arrow", id: expect.stringMatching(/^[0-9a-f]{64}$/) },
    ]);
  });

  test("nor those above a directory or pattern", () => {
    for (const input of ["private", "./private/*.arrow"]) {
      expect(partial(input, "several.arrow").status).toBe(0);
      const bytes = readFileSync(at("several.arrow"));
      expect(bytes.includes('{"path":"private/b.arrow"')).toBe(true);
      expect(bytes.includes(at("private"))).toBe(false);
      rmSync(at("several.arrow"));
    }
  });

  test("and an input that is in two partials is found by any path", () => {
    partial("private/a.arrow", "p1.arrow");
    partial(at("private/../private/a.arrow"), "p2.arrow");
    partial("private/b.arrow", "p3.arrow");
    const merge = (...args: string[]) =>
      softjacIn({ cwd: at("") }, "merge", ...args);
    const { status, stderr } = merge("p1.arrow", "p2.arrow");
    const both = merge("p1.arrow", "p3.arrow", "--partial", "-o", "p13.arrow");
    expect(both.status).toBe(0);
    mkdirSync(at("parts"));
    for (const name of ["p1.arrow", "p3.arrow"])
      copyFileSync(at(name), at(`parts/${name}`));
    for (const named of ["parts", "parts/*.arrow"]) {
      const args = [named, "--partial", "-o", "parts.arrow", "--force"];
      expect(merge(...args).status).toBe(0);
      expect(readFileSync(at("parts.arrow"))).toEqual(
        readFileSync(at("p13.arrow")),
      );
    }
    expect(merge("p13.arrow", "p1.arrow").stderr).toBe(
      "softjac: p1.arrow: private/a.arrow is in p13.arrow too, and its rows would count twice\n",
    );
    expect([status, stderr]).toEqual([
      64,
      `softjac: p2.arrow: ${at("private/../private/a.arrow")} is in p1.arrow too, and its rows would count twice\n`,
    ]);
  });
});

test("partials of other options, and files without partial sums", async () => {
  const [one, two] = [next(), next()];
  const options = { ...ROWS, inputs: [inputs[0] as string], partial: true };
  await built.effects({ ...options, output: one });
  await built.effects({ ...options, output: two, of: ["eydx"] });
  await expect(built.mergePartials({ inputs: [one, two] })).rejects.toThrow(
    `${two}: its options, features or coefficients differ from those of ${one}; merge partial sums of one command`,
  );
  await expect(
    built.mergePartials({ inputs: [inputs[0] as string] }),
  ).rejects.toThrow(
    "expected partial sums of softjac reduce or effects --partial, found none",
  );
});

test("damaged partials are rejected, or give the same result", async () => {
  const output = next();
  await built.reduce({
    ...{ inputs: [inputs[0] as string], output, partial: true },
    ...{ ...ROWS, by: ["group"], emit: ["accuracy"] },
  });
  const [damaged, merged] = [next(), next()];
  const merge = async (bytes: Uint8Array) => {
    writeFileSync(damaged, bytes);
    const files = { inputs: [damaged], output: merged };
    await built.mergePartials({ ...files, force: true });
    return readFileSync(merged);
  };
  const bytes = readFileSync(output);
  const expected = await merge(bytes);
  const messages = new Set<string>();
  let accepted = 0;
  for (let k = 0; k < bytes.length; k += stepOf(29)) {
    const changed = bytes.map((byte, n) => (n === k ? byte ^ 1 : byte));
    try {
      expect(await merge(changed)).toEqual(expected);
      accepted++;
    } catch (error) {
      expect(error).toBeInstanceOf(built.SoftjacError);
      messages.add((error as Error).message);
    }
  }
  expect([...messages]).toContain(
    `${damaged}: partial sums: they do not match their SHA-256; copy the file again, or write it again with --partial`,
  );
  // Padding and flags of the Arrow format.
  expect(accepted).toBeGreaterThan(0);
});
