import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { EffectRow } from "../../src/index.js";
import { softjac } from "../cli/support.js";
import { npy, zip } from "../support/array-files.js";
import { type Type, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { readOutput, writeMatrix } from "../support/sums-files.js";

const at = workDirectory();
const output = at("out.arrow");
const logits = (rows: number) =>
  [
    Array.from({ length: rows }, (_, r) => [r, r % 3, 0]),
    "fixed_size_list<float64>[3]",
  ] as [unknown[], Type];
const DAY = 86_400_000;

/** Keys of the rows, and of the groups in their order. */
const KEYS: Record<string, [type: Type, keys: unknown[], groups: unknown[]]> = {
  int8: ["int8", [2, -3, 2, null], [-3, 2, null]],
  int64: [
    "int64",
    [3n, -9007199254740991n, 9007199254740991n, 3n],
    [-9007199254740991n, 3n, 9007199254740991n],
  ],
  uint64: ["uint64", [5n, 2n, 5n, 5n], [2n, 5n]],
  // pandas writes integers with missing values as floats.
  float64: ["float64", [2, -1, null, 2, -0, 0], [-1, 0, 2, null]],
  bool: ["bool", [true, false, null, true], [false, true, null]],
  // Code point order is not that of UTF-16 code units, nor of a language.
  utf8: [
    "utf8",
    ["é", "z", "", "\u{1f600}", "\uffee", null, "Z"],
    ["", "Z", "z", "é", "\uffee", "\u{1f600}", null],
  ],
  dictionary: [
    "dictionary<int32, utf8>",
    ["q", "b", "q", null],
    ["b", "q", null],
  ],
  "date32 of days": [
    "date_day",
    [new Date(DAY), new Date(-DAY), new Date(DAY)],
    [-DAY, DAY],
  ],
  "date64 of milliseconds": [
    "date_millisecond",
    [new Date(DAY), new Date(-DAY), new Date(DAY)],
    [-DAY, DAY],
  ],
};

describe("keys keep their type, in ascending order, nulls last", () => {
  test.each(Object.entries(KEYS))("%s", async (name, [type, keys, groups]) => {
    const input = at(`${name}.arrow`);
    writeArrow(
      input,
      { k: [keys, type], logits: logits(keys.length) },
      { batchRows: 2 },
    );
    await built.reduce({ inputs: [input], output, by: ["k"], force: true });
    const { columns, fields } = readOutput(output);
    expect(columns.k).toEqual(groups);
    const kind = name === "dictionary" ? "Utf8" : name;
    expect(`${fields[0]?.type}`.toLowerCase().replace(/<.*/, "")).toBe(
      kind.toLowerCase().replace(/ .*/, ""),
    );
    expect(fields[0]?.nullable).toBe(groups.includes(null));
    const numbers = (values: unknown[]) =>
      values.map((value) => (value instanceof Date ? value.getTime() : value));
    const counts = groups.map((group) =>
      BigInt(numbers(keys).filter((key) => key === group).length),
    );
    expect(columns.rows).toEqual(counts);
  });
});

describe("keys beside lists of logits are those of each list", () => {
  test.each(Object.entries(KEYS))("%s", async (name, [type, keys, groups]) => {
    const input = at(`lists ${name}.arrow`);
    const listsOf = (r: number) => (r + 1) % 3;
    const values = keys.map((_, r) => logits(listsOf(r))[0]);
    writeArrow(
      input,
      { k: [keys, type], logits: [values, "list<list<float64>>"] },
      { batchRows: 2 },
    );
    const options = { column: "logits", by: ["k"], force: true };
    await built.reduce({ inputs: [input], output, ...options });
    const { columns } = readOutput(output);
    const numberOf = (key: unknown) =>
      key instanceof Date ? key.getTime() : key;
    const counts = new Map(groups.map((group) => [group, 0n]));
    for (const [r, key] of keys.entries()) {
      const group = numberOf(key) as (typeof groups)[number];
      counts.set(group, (counts.get(group) ?? 0n) + BigInt(listsOf(r)));
    }
    const present = groups.filter((group) => counts.get(group));
    expect(columns.k).toEqual(present);
    expect(columns.rows).toEqual(present.map((group) => counts.get(group)));
  });

  test("lists of keys", async () => {
    const input = at("lists of keys.arrow");
    writeArrow(input, {
      k: [[[7, 8], [7], []], "list<int16>"],
      logits: [[logits(2)[0], logits(1)[0], []], "list<list<float64>>"],
    });
    const options = { column: "logits", by: ["k"], force: true };
    await built.reduce({ inputs: [input], output, ...options });
    const { columns } = readOutput(output);
    expect(columns).toMatchObject({ k: [7, 8], rows: [2n, 1n] });
  });
});

test("keys in a dictionary of dates", async () => {
  const input = at("dictionary of dates.arrow");
  const days = [DAY, -DAY, DAY, null].map((ms) => ms && new Date(ms));
  for (const unit of ["day", "millisecond"]) {
    const type = `dictionary<int8, date_${unit}>` as Type;
    writeArrow(input, { k: [days, type], logits: logits(4) });
    await built.reduce({ inputs: [input], output, by: ["k"], force: true });
    const { columns } = readOutput(output);
    expect(columns).toMatchObject({ k: [-DAY, DAY, null], rows: [1n, 2n, 1n] });
  }
});

test("the rows of effects have dates and booleans as text and JSON have them", async () => {
  const input = at("dates.arrow");
  const days = [DAY, -DAY, DAY].map((ms) => new Date(ms));
  writeArrow(input, {
    x: [[1, 2, 3], "float64"],
    "32": [days, "date_day"],
    "64": [days, "date_millisecond"],
    b: [[true, false, null], "bool"],
  });
  const report = await built.effects({
    ...{ inputs: [input], features: "x", covariance: "none", of: ["dydx"] },
    ...{ coefficients: writeMatrix(at("b.npy"), [[1]]), by: ["32", "64", "b"] },
    ...{ output, force: true },
  });
  const groups = report.effects
    .filter((row) => row.class === 1)
    .map(({ group }) => group);
  expect(groups).toEqual([
    { "32": "1969-12-31", "64": "1969-12-31", b: false },
    { "32": "1970-01-02", "64": "1970-01-02", b: true },
    { "32": "1970-01-02", "64": "1970-01-02", b: null },
  ]);
  const { columns } = readOutput(output);
  expect(columns["32"]).toEqual([-DAY, -DAY, DAY, DAY, DAY, DAY]);
  expect(columns["64"]).toEqual(columns["32"]);
  expect(columns.b).toEqual([false, false, true, true, null, null]);
});

test("two keys, weights of 0 and bad rows", async () => {
  const input = at("two.arrow");
  const nan = Number.NaN;
  writeArrow(input, {
    s: [["b", "a", "b", "a", "c", "c"], "utf8"],
    n: [[1, 2, 1, 1, 7, 7], "int32"],
    w: [[2, 0, 3, 1, 1, 1], "float64"],
    logits: [
      [
        [0, 0],
        [5, 0],
        [0, 0],
        [0, 0],
        [nan, 0],
        [nan, 1],
      ],
      "fixed_size_list<float64>[2]",
    ],
  });
  const report = await built.reduce({
    ...{ inputs: [input], output, by: ["s", "n"], weight: "w", force: true },
    ...{ onBadRow: "skip", emit: ["softmax", "gini", "jacobian"] },
  });
  expect(report).toMatchObject({ rows: 6, badRows: 2, groups: 4 });
  expect(report.firstBadRow).toEqual({ input, row: 4 });
  const { columns } = readOutput(output);
  expect(columns.s).toEqual(["a", "a", "b", "c"]);
  expect(columns.n).toEqual([1, 2, 1, 7]);
  expect(columns.rows).toEqual([1n, 1n, 2n, 0n]);
  expect(columns.weight).toEqual([1, 0, 5, 0]);
  expect(columns.gini).toEqual([0.5, null, 0.5, null]);
  expect(columns.softmax).toEqual([[0.5, 0.5], null, [0.5, 0.5], null]);
  expect(columns.jacobian?.[1]).toBeNull();
});

test("partitions of each input", async () => {
  const inputs = [
    "state=CA/year=2020",
    "state=NY/year=2021",
    "state=CA/year=__HIVE_DEFAULT_PARTITION__",
  ].map((folder, k) => {
    mkdirSync(at(folder), { recursive: true });
    const input = at(`${folder}/data.arrow`);
    writeArrow(input, { logits: logits(k + 1) });
    return input;
  });
  await built.reduce({ inputs, output, by: ["state", "year"], force: true });
  const { columns } = readOutput(output);
  expect(columns.state).toEqual(["CA", "CA", "NY"]);
  expect(columns.year).toEqual([2020n, null, 2021n]);
  expect(columns.rows).toEqual([1n, 3n, 2n]);
  const bytes = readFileSync(output);
  writeFileSync(at("state=NY/_SUCCESS"), "");
  const messages: string[] = [];
  const onEvent = (event: { event: string; message?: string }) =>
    event.event === "warning" && messages.push(`${event.message}`);
  for (const named of [
    [at("state=*/**/*.arrow")],
    [at("state=NY"), at("state=CA/")],
  ]) {
    const options = { inputs: named, output, force: true };
    await built.reduce({ ...options, by: ["state", "year"] }, { onEvent });
    expect(readFileSync(output)).toEqual(bytes);
  }
  expect(messages).toEqual([
    "1 file is ignored because of the name: _SUCCESS; give the path of such a file to read it",
  ]);
  const [input = ""] = inputs;
  for (const options of [
    { weight: "year" },
    { features: "year", label: "year", emit: ["score" as const] },
    { features: "logits,year", label: "year", emit: ["score" as const] },
  ])
    await expect(
      built.reduce({ inputs: [input], output, force: true, ...options }),
    ).rejects.toThrow("year: no such column; the file has logits: ");
});

test("more groups than fit, and 20,000 that do", async () => {
  const input = at("many.arrow");
  writeArrow(input, {
    k: [Array.from({ length: 20_000 }, (_, r) => r), "int32"],
    logits: logits(20_000),
  });
  const options = {
    inputs: [input],
    output,
    by: ["k"],
    emit: ["gini"] as const,
  };
  const report = await built.reduce({ ...options, force: true });
  expect(report.groups).toBe(20_000);
  expect(readOutput(output).columns.k?.[19_999]).toBe(19_999);
  await expect(
    built.reduce({
      ...options,
      output: at("none.arrow"),
      maxSumsBytes: 2_000_000,
    }),
  ).rejects.toThrow(
    /^by: k has [\d,]+ groups so far; 2 sums per group take [\d.]+ MB with \d+ threads?, more than --max-sums-bytes \([\d.]+ MB\)$/,
  );
});

test("5,000 strings that recur", async () => {
  const input = at("strings.arrow");
  // Some are a prefix of another one.
  const words = Array.from({ length: 5000 }, (_, k) =>
    `${k % 700}`.repeat(1 + k / 700),
  );
  const keys = Array.from({ length: 20_000 }, (_, r) => words[(r * 7) % 5000]);
  writeArrow(input, { k: [keys, "utf8"], logits: logits(20_000) });
  const options = { inputs: [input], output, by: ["k"], force: true };
  await built.reduce({ ...options, emit: ["gini"] });
  const counts = new Map<unknown, bigint>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0n) + 1n);
  const { columns } = readOutput(output);
  expect(columns.k).toEqual([...counts.keys()].toSorted());
  expect(columns.rows).toEqual(columns.k?.map((key) => counts.get(key)));
});

test("groups of one task whose sums exceed the address space of the kernel", async () => {
  const rows = 2048;
  const zeros = (length: number): [unknown[], Type] => [
    Array.from({ length: rows }, () => new Array(length).fill(0)),
    `fixed_size_list<float64>[${length}]`,
  ];
  const input = at("large.arrow");
  writeArrow(input, {
    k: [Array.from({ length: rows }, (_, r) => r), "int32"],
    logits: zeros(60),
    x: zeros(9),
  });
  await expect(
    built.reduce({
      ...{ inputs: [input], output: at("none.arrow"), by: ["k"], threads: 2 },
      ...{ column: "logits", features: "x", emit: ["fisher"] },
    }),
  ).rejects.toThrow(
    /^by: k has [\d,]+ groups so far; 82,351 sums per group take/,
  );
});

test.each([
  [
    "int64",
    "int64",
    [2n ** 53n, 1n],
    "expected whole numbers from -(2^53 - 1) to 2^53 - 1 for --by, found 9007199254740992 or a number near it; write them as strings",
  ],
  [
    "float64",
    "float64",
    [1, 2.5],
    "expected whole numbers from -(2^53 - 1) to 2^53 - 1 for --by, found 2.5; write them as strings",
  ],
  [
    "timestamps",
    "timestamp",
    [1, 2],
    "timestamp does not form groups; --by takes whole numbers, booleans, strings, dictionaries and dates; write other values as strings",
  ],
] as const)("keys of %s that are refused", async (name, type, keys, text) => {
  const input = at(`refused ${name}.arrow`);
  writeArrow(input, { k: [[...keys], type], logits: logits(2) });
  await expect(
    built.reduce({ inputs: [input], output, by: ["k"], force: true }),
  ).rejects.toThrow(`${input}: column k: ${text}`);
});

test("names with commas in lists of names", () => {
  const input = at("commas.arrow");
  const numbers = (each: (r: number) => number): [unknown[], Type] => [
    Array.from({ length: 60 }, (_, r) => each(r)),
    "float64",
  ];
  writeArrow(input, {
    "g,1": numbers((r) => r % 2),
    "a,1": numbers((r) => Math.sin(r)),
    b: numbers((r) => Math.cos(r * r)),
  });
  const coefficients = writeMatrix(at("commas.npy"), [[0.3], [-0.5]]);
  const { stdout, stderr } = softjac(
    ...["effects", input, "--features", "a,1,b", "--coefficients"],
    ...[coefficients, "--json", "--by", "g\\,1", "--terms", "a\\,1"],
    ...["--contrast", "a\\,1=0:2,b"],
  );
  expect(stderr).toBe("");
  const rows = JSON.parse(stdout).effects.map(
    ({ group, effect, term }: EffectRow) => [group["g,1"], effect, term],
  );
  const effects = [
    ["dydx", "a,1"],
    ["contrast 0:2", "a,1"],
    ["contrast 0:1", "b"],
  ];
  expect(rows).toEqual(
    [0, 1].flatMap((group) =>
      effects.flatMap((effect) => [0, 1].map(() => [group, ...effect])),
    ),
  );
});

test("booleans of arrays", async () => {
  const input = at("booleans.npz");
  const members = {
    "k.npy": npy(Uint8Array.of(1, 0, 1), { descr: "|b1" }),
    "logits.npy": npy(new Float64Array(6), [3, 2]),
  };
  writeFileSync(input, zip(members));
  await built.reduce({ inputs: [input], output, by: ["k"], force: true });
  const { columns } = readOutput(output);
  expect(columns.k).toEqual([false, true]);
  expect(columns.rows).toEqual([1n, 2n]);
});

// pandas writes integers of a file with missing values as floats.
test("numbers of several types in several files are int64, in any order", async () => {
  const keys = { int32: [3, 1], float64: [3, null], uint8: [200, 1] };
  const inputs = Object.entries(keys).map(([type, keys]) => {
    const path = at(`key ${type}.arrow`);
    writeArrow(path, { k: [keys, type as Type], logits: logits(2) });
    return path;
  });
  const partials: string[] = [];
  const options = { by: ["k"], force: true };
  for (const input of inputs) {
    const partial = { output: `${input}.partial`, partial: true };
    await built.reduce({ ...options, inputs: [input], ...partial });
    partials.push(partial.output);
  }
  await built.reduce({ ...options, inputs, output });
  const { columns, fields } = readOutput(output);
  expect(`${fields[0]?.type}`).toBe("Int64");
  expect(columns.k).toEqual([1n, 3n, 200n, null]);
  expect(columns.rows).toEqual([2n, 2n, 1n, 1n]);
  const expected = readFileSync(output);
  for (const inputs of [partials, partials.toReversed()]) {
    await built.mergePartials({ inputs, output, force: true });
    expect(readFileSync(output).equals(expected)).toBe(true);
  }
  await built.reduce({ ...options, inputs: inputs.toReversed(), output });
  expect(readFileSync(output).equals(expected)).toBe(true);
});

test("keys of another type in another file", async () => {
  const inputs = ["int", "text"].map((name) => at(`type ${name}.arrow`)) as [
    string,
    string,
  ];
  writeArrow(inputs[0], { k: [[1], "int32"], logits: logits(1) });
  writeArrow(inputs[1], { k: [["1"], "utf8"], logits: logits(1) });
  await expect(
    built.reduce({ inputs, output, by: ["k"], force: true }),
  ).rejects.toThrow(
    `${inputs[1]}: column k: expected whole numbers as in ${inputs[0]}, found strings`,
  );
  await expect(
    built.reduce({ inputs, output, by: ["k", "k"], force: true }),
  ).rejects.toThrow("by: k is given twice");
});
