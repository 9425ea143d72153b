import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
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

const header = JSON.stringify({
  [`a${HOSTILE}`]: { dtype: HOSTILE, shape: [1], data_offsets: [0, 1] },
});
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
const tensors = at("in.safetensors");
writeFileSync(
  tensors,
  Buffer.concat([length, Buffer.from(header), Buffer.alloc(1)]),
);
const config = at("config.json");
writeFileSync(config, JSON.stringify({ [HOSTILE]: 1 }));

function writeNamed(path: string, names: string[]): void {
  const rows = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const logits = [rows, "fixed_size_list<float64>[3]"] as const;
  writeArrow(path, {
    ...Object.fromEntries(names.map((name) => [name, [...logits]])),
    [`name${HOSTILE}`]: [["a", HOSTILE], "utf8"],
  });
}

const none = `no${HOSTILE}`;
const other = at("x.arrow");

test.each<[status: number, words: string[], shown?: string]>([
  [
    0,
    wordsOf`inspect ${input}`,
    `logits${ESCAPED}: fixed_size_list<float64>[3]`,
  ],
  [0, wordsOf`inspect ${input} --json`],
  [0, wordsOf`run ${input} -o ${at(`x${HOSTILE}.arrow`)} --dry-run`],
  [0, wordsOf`run ${input} -o ${at(`ran${HOSTILE}.arrow`)}`],
  [0, wordsOf`run ${input} -o ${at(`2${HOSTILE}.arrow`)} --log-format json`],
  [0, wordsOf`run ${input} -o ${at(`data${HOSTILE}/`)}`],
  [0, wordsOf`verify ${output} --input ${input}`],
  [0, wordsOf`show ${output} --row 1`, `name${ESCAPED}  `],
  [0, wordsOf`show ${output} --row 1 --json`],
  [0, wordsOf`report ${output} -o ${at(`page${HOSTILE}.html`)} --force`],
  [0, wordsOf`gc ${at(`none${HOSTILE}`)}`],
  [64, wordsOf`run ${input} --${HOSTILE}`],
  [64, wordsOf`${HOSTILE}`],
  [64, wordsOf`run ${input} -o ${other} --threads ${HOSTILE}`],
  [65, wordsOf`run ${input} -o ${other} --column ${none}`],
  [0, wordsOf`inspect ${tensors}`],
  [66, wordsOf`run ${`none${HOSTILE}`} -o ${other}`],
  [73, wordsOf`run ${input} -o ${output}`],
  [73, wordsOf`run ${input} -o ${output} --log-format json`],
  [78, wordsOf`run ${input} -o ${other} --config ${config}`],
])("%i: softjac %j", (status, words, shown = "") => {
  const env = { FORCE_COLOR: "", [`SOFTJAC_X${HOSTILE}`]: "1" };
  const { stdout, stderr, status: exit } = softjacIn({ env }, ...words);
  for (const text of [stdout, stderr]) {
    // printable.test.ts tests the escapes.
    expect(printableLines(text)).toBe(text);
    expect(text.split("\n")).not.toContain("softjac: done");
    expect(Buffer.byteLength(text)).toBeLessThan(8000);
  }
  expect(exit, stderr).toBe(status);
  expect(stdout).toContain(shown);
  // Commands that start warn of the unknown variable.
  if (![64, 78].includes(status))
    expect(stderr.replaceAll("\\\\", "\\")).toMatch(
      /SOFTJAC_X\\(x1|u001)b\[2J/,
    );
  if (words.includes("--json"))
    expect(JSON.stringify(JSON.parse(stdout))).toContain(
      JSON.stringify(HOSTILE).slice(1, -1),
    );
  if (words.includes("--log-format"))
    for (const line of stderr.trim().split("\n")) JSON.parse(line);
});

test("messages about 1,000 columns with names of 2,000 letters have at most 2 kB", () => {
  const wide = at("wide.arrow");
  const names = Array.from({ length: 1000 }, (_, k) => k + "x".repeat(2000));
  writeNamed(wide, names);
  for (const words of [
    wordsOf`run ${wide} -o ${other}`,
    wordsOf`run ${wide} -o ${other} --column ${"y".repeat(50_000)}`,
    wordsOf`inspect ${wide}`,
  ]) {
    const { stderr, stdout } = softjacIn({}, ...words);
    expect(Buffer.byteLength(stderr)).toBeLessThan(2048);
    expect(Buffer.byteLength(stdout)).toBeLessThan(8000);
  }
});
