import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { DIGITS, softjac, typed } from "./support.js";

const at = workDirectory();
const output = at("out.arrow");
await built.run({ input: DIGITS, output, keep: ["id"] });

/** Copies a file with one bit of a softmax value flipped: the last of its mantissa, or its sign. */
function turned(name: string, bit: "least" | "sign", row = 0): string {
  const path = at(name);
  const bytes = readFileSync(output);
  const { softmax } = built.softmaxResults(
    Float32Array.from(readLogits(row).slice(0, 10)),
    { rows: 1, classes: 10, emit: ["softmax"] },
  );
  const value = Buffer.from(Float32Array.of(softmax?.[4] as number).buffer);
  const place = bytes.indexOf(value);
  expect(place).toBeGreaterThan(0);
  const byte = bit === "least" ? place : place + 3;
  bytes[byte] = (bytes[byte] as number) ^ (bit === "least" ? 1 : 0x80);
  writeFileSync(path, bytes);
  return path;
}

function readLogits(row: number): Float32Array {
  const bytes = readFileSync(DIGITS);
  // The offset in the first record batch comes from flechette.
  const table = flechette(bytes);
  return table.getChild("logits").at(row) as Float32Array;
}

test("a correct file: exits with 0 and prints what was compared", () => {
  for (const args of [[], ["--all"], ["--sample", "5", "--seed", "3"]]) {
    const { status, stderr, stdout } = softjac(
      "verify",
      output,
      "--input",
      DIGITS,
      ...args,
    );
    expect(status).toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toMatch(`${output}: OK\n`);
    expect(stderr).toMatch(
      / {2}jacobian +ok {2}largest error [\d.]+ ε \(bound/,
    );
    expect(/bytes +ok {2}all are identical to a new run/.test(stderr)).toBe(
      args.includes("--all"),
    );
    expect(/not compared +id \(use --all\)\n/.test(stderr)).toBe(
      !args.includes("--all"),
    );
  }
});

test("names copied columns, which are not compared without --all", async () => {
  const names = { output, input: DIGITS };
  expect((await built.verify(names)).notCompared).toEqual(["id"]);
  const all = await built.verify({ ...names, all: true });
  expect(all.notCompared).toEqual([]);
  const bare = at("bare.arrow");
  await built.run({ input: DIGITS, output: bare });
  const without = softjac("verify", bare, "--input", DIGITS);
  expect(without.stderr).not.toContain("not compared");
});

test.each([
  ["softjac.emit", "softmax,jacobian", "softmax", "jacobian"],
  ["softjac.keep", '["id"]', '["no"]', "id"],
])("65 where %s does not list a column of the file", (_, from, to, column) => {
  const path = at("edited.arrow");
  const bytes = readFileSync(output);
  // Flatbuffers store lengths before strings; the file has the schema twice.
  const text = (value: string) => {
    const found = Buffer.alloc(4 + from.length);
    found.writeUInt32LE(value.length);
    found.write(value, 4);
    return found;
  };
  while (bytes.includes(text(from)))
    text(to).copy(bytes, bytes.indexOf(text(from)));
  expect(bytes.equals(readFileSync(output))).toBe(false);
  writeFileSync(path, bytes);
  const { status, stderr } = softjac("verify", path, "--input", DIGITS);
  expect(status, stderr).toBe(65);
  expect(stderr).toContain(
    `column ${column}: the column is listed neither in softjac.emit nor in softjac.keep\n`,
  );
});

test("--json prints the report of the library", async () => {
  const { status, stdout } = typed`verify ${output} -i ${DIGITS} --json --all`;
  expect(status).toBe(0);
  const report = await built.verify({ output, input: DIGITS, all: true });
  const { durationMs: _, ...rest } = JSON.parse(stdout);
  const { durationMs: __, ...own } = report;
  expect(rest).toEqual(own);
  expect(report).toMatchObject({
    rows: 1797,
    rowsChecked: 1797,
    ok: true,
    problems: [],
    bytes: { compared: true, message: null },
  });
});

test("a wrong value exits with 65 and names the row, also with --quiet", () => {
  const wrong = turned("wrong.arrow", "sign");
  for (const quiet of [[], ["--quiet"]]) {
    const { status, stderr } = softjac("verify", wrong, "-i", DIGITS, ...quiet);
    expect(status).toBe(65);
    expect(stderr).toMatch(`${wrong}: FAILED\n`);
    expect(stderr).toMatch(/softmax +BAD/);
    expect(stderr).toMatch(/row 0/);
  }
});

test("only --all detects the last bit of a value", () => {
  const row = 1;
  const wrong = turned("least.arrow", "least", row);
  const sampled = softjac("verify", wrong, "-i", DIGITS, "--sample", "2");
  expect(sampled.status).toBe(0);
  const { status, stderr } = softjac("verify", wrong, "-i", DIGITS, "--all");
  expect(status).toBe(65);
  expect(stderr).toMatch(
    /record batch 0: column softmax, table row 1, value 4: expected \d+ at byte \d+, found/,
  );
});

test("exits with 64, 65 and 66 if there is nothing to compare", () => {
  const failing = (...args: string[]) => softjac("verify", ...args);
  expect(failing(output)).toMatchObject({ status: 64 });
  expect(failing(output).stderr).toMatch("--input");
  expect(failing(output, "-i", DIGITS, "--all", "--sample", "3")).toMatchObject(
    {
      status: 64,
      stderr: "softjac: --sample, --all: give only one of them\n",
    },
  );
  expect(failing(at("none.arrow"), "-i", DIGITS).status).toBe(66);
  expect(failing(DIGITS, "-i", DIGITS)).toMatchObject({ status: 65 });
  expect(failing(DIGITS, "-i", DIGITS).stderr).toMatch("softjac.");
});
