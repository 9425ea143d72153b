import { mkdirSync, writeFileSync } from "node:fs";
import { fixedSizeList, float64, utf8 } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { printableLines } from "../../src/printable.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { softjacIn, wordsOf } from "./support.js";

// Names, values and settings that would clear the terminal, forge a log line, or reverse the reading order.

const at = workDirectory();
const HOSTILE =
  "\x1b[2J\x07\x9b31m\r\nsoftjac: done\u202e\u2066\u2028\ufeff\x7f";
const ESCAPED =
  "\\x1b[2J\\x07\\x9b31m\\r\\nsoftjac: done\\u202e\\u2066\\u2028\\ufeff\\x7f";
const column = `logits${HOSTILE}`;
const input = at(`in ${HOSTILE}.arrow`);
const output = at(`out ${HOSTILE}.arrow`);

writeNamed(input, [column]);
await built.run({ input, output, column, keep: [`name${HOSTILE}`] });

function softjac(args: string[], env: Record<string, string> = {}) {
  return softjacIn({ env: { FORCE_COLOR: "", ...env } }, ...args);
}

/** Asserts that text has no unescaped characters but line breaks, and no forged line. printable.test.ts tests the escapes. */
function expectPrintable(...texts: string[]) {
  for (const text of texts) {
    expect(printableLines(text)).toBe(text);
    for (const line of text.split("\n")) expect(line).not.toBe("softjac: done");
    expect(Buffer.byteLength(text)).toBeLessThan(8000);
  }
}

const none = `no${HOSTILE}`;
const other = at("x.arrow");
const LINES: Record<number, string[][]> = {
  0: [
    wordsOf`inspect ${input}`,
    wordsOf`inspect ${input} --json`,
    wordsOf`run ${input} -o ${at(`x${HOSTILE}.arrow`)} --dry-run`,
    wordsOf`run ${input} -o ${at(`ran${HOSTILE}.arrow`)}`,
    wordsOf`run ${input} -o ${at(`ran2${HOSTILE}.arrow`)} --log-format json`,
    wordsOf`run ${input} -o ${at(`data${HOSTILE}/`)}`,
    wordsOf`verify ${output} --input ${input}`,
    wordsOf`show ${output} --row 1`,
    wordsOf`show ${output} --row 1 --json`,
    wordsOf`report ${output} -o ${at(`page${HOSTILE}.html`)} --force`,
    wordsOf`gc ${at(`none${HOSTILE}`)}`,
  ],
  64: [
    wordsOf`run ${input} --${HOSTILE}`,
    wordsOf`${HOSTILE}`,
    wordsOf`run ${input} -o ${other} --threads ${HOSTILE}`,
  ],
  65: [
    wordsOf`run ${input} -o ${other} --column ${none}`,
    wordsOf`run ${input} -o ${other} --columns ${none}*`,
    wordsOf`run ${input} -o ${other} --keep ${none}`,
    wordsOf`run ${input} -o ${other} --emit cross_entropy --label ${none}`,
  ],
  66: [
    wordsOf`run ${`none${HOSTILE}`} -o ${other}`,
    wordsOf`status ${at(`none${HOSTILE}`)}`,
  ],
  73: [
    wordsOf`run ${input} -o ${output}`,
    wordsOf`run ${input} -o ${output} --log-format json`,
  ],
};

describe.each(Object.entries(LINES))("%s", (status, lines) => {
  test.each(lines.map((words) => [words]))("%j", (words) => {
    const found = softjac(words);
    expectPrintable(found.stdout, found.stderr);
    expect(found.status, found.stderr).toBe(Number(status));
    const json = words.includes("--json") ? found.stdout : "";
    if (json)
      expect(JSON.stringify(JSON.parse(json))).toContain(
        JSON.stringify(HOSTILE).slice(1, -1),
      );
    if (words.includes("--log-format"))
      for (const line of found.stderr.trim().split("\n")) JSON.parse(line);
  });
});

test("names are escaped, and shortened only if they are long", () => {
  expect(softjac(["inspect", input]).stdout).toContain(
    `logits${ESCAPED}: fixed_size_list<float64>[3]`,
  );
  expect(softjac(["show", output, "--row", "1"]).stdout).toContain(
    `name${ESCAPED}  `,
  );
});

test("names and values in a configuration file and the environment", () => {
  const config = at("config.json");
  writeFileSync(config, JSON.stringify({ [HOSTILE]: 1 }));
  const refused = softjac(wordsOf`run ${input} -o ${other} --config ${config}`);
  expectPrintable(refused.stderr);
  expect(refused.status).toBe(78);
  const warned = softjac(["inspect", input], { [`SOFTJAC_X${HOSTILE}`]: "1" });
  expectPrintable(warned.stderr, warned.stdout);
  expect(warned.stderr).toContain(ESCAPED);
  expect(warned.status).toBe(0);
});

test("names of archive members", () => {
  mkdirSync(at("zip"));
  const name = at("zip/in.safetensors");
  const header = JSON.stringify({
    [`a${HOSTILE}`]: { dtype: HOSTILE, shape: [1], data_offsets: [0, 1] },
  });
  const bytes = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  writeFileSync(name, Buffer.concat([length, bytes, Buffer.alloc(1)]));
  for (const args of [
    ["run", name, "-o", at("x.arrow")],
    ["inspect", name],
  ]) {
    const { stderr, stdout } = softjac(args);
    expectPrintable(stderr, stdout);
  }
});

test("messages about 1,000 columns with names of 2,000 letters have at most 2 kB", () => {
  const wide = at("wide.arrow");
  writeNamed(
    wide,
    Array.from({ length: 1000 }, (_, k) => `${k}${"x".repeat(2000)}`),
  );
  for (const args of [
    ["run", wide, "-o", at("x.arrow")],
    ["run", wide, "-o", at("x.arrow"), "--column", "y".repeat(50_000)],
    ["inspect", wide],
  ]) {
    const { stderr, stdout } = softjac(args);
    expect(Buffer.byteLength(stderr)).toBeLessThan(2048);
    expect(Buffer.byteLength(stdout)).toBeLessThan(8000);
  }
});

function writeNamed(path: string, names: string[]): void {
  const rows = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const logits = [rows, fixedSizeList(float64(), 3)] as const;
  writeArrow(path, {
    ...Object.fromEntries(names.map((name) => [name, [...logits]])),
    [`name${HOSTILE}`]: [["a", HOSTILE], utf8()],
  });
}
