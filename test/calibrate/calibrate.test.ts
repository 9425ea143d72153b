import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { CLI, softjac } from "../cli/support.js";
import { type Columns, writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";

const at = workDirectory();
const shared = fileURLToPath(
  new URL("../../../shared/data/effects/", import.meta.url),
);
const Q = 4;

/** Rows whose labels follow softmax(o/2), with weights 0 to 3. */
const uniform = random(7);
const gauss = normal(uniform);
const ROWS = Array.from({ length: 3000 }, () => {
  const logits = Array.from({ length: Q }, () => 3 * gauss());
  const p = softmaxOf(logits, 2);
  let [label, u] = [0, uniform()];
  while (label < Q - 1 && u > (p[label] as number)) u -= p[label++] as number;
  return { logits, label, w: Math.floor(4 * uniform()) };
});
const columns = (rows: typeof ROWS): Columns => ({
  logits: [rows.map(({ logits }) => logits), `fixed_size_list<float64>[${Q}]`],
  label: [rows.map(({ label }) => label), "int32"],
  w: [rows.map(({ w }) => w), "float64"],
});
const input = at("rows.arrow");
writeArrow(input, columns(ROWS), { batchRows: 700 });

function softmaxOf(logits: readonly number[], T: number): number[] {
  const max = Math.max(...logits);
  const e = logits.map((o) => Math.exp((o - max) / T));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => x / sum);
}

/** Means over rows by the definitions. */
function measures(rows: typeof ROWS, T: number) {
  let [W, nll, brier, slope, variance] = [0, 0, 0, 0, 0];
  const bins = Array.from({ length: 15 }, () => 0);
  for (const { logits, label, w } of rows) {
    const p = softmaxOf(logits, T);
    const mean = p.reduce((s, x, k) => s + x * (logits[k] as number), 0);
    const confidence = Math.max(...p);
    const bin = Math.ceil(15 * confidence) - 1;
    const correct = p.indexOf(confidence) === label ? 1 : 0;
    W += w;
    nll -= w * Math.log(p[label] as number);
    slope += w * (mean - (logits[label] as number));
    variance +=
      w * p.reduce((s, x, k) => s + x * ((logits[k] as number) - mean) ** 2, 0);
    brier += w * p.reduce((s, x, k) => s + (x - (k === label ? 1 : 0)) ** 2, 0);
    bins[bin] = (bins[bin] as number) + w * (correct - confidence);
  }
  const ece = bins.reduce((s, x) => s + Math.abs(x), 0) / W;
  return { W, nll: nll / W, brier: brier / W, ece, slope, variance };
}

/** Maximizes the likelihood by bisection of its slope. */
function bestTemperature(rows: typeof ROWS): number {
  let [low, high] = [1e-3, 1e3];
  for (let n = 0; n < 200; n++) {
    const beta = (low + high) / 2;
    if (measures(rows, 1 / beta).slope < 0) low = beta;
    else high = beta;
  }
  return 2 / (low + high);
}

test.each([
  ["unweighted", undefined, ROWS.map((row) => ({ ...row, w: 1 }))],
  ["weighted", "w", ROWS],
])("the temperature maximizes the likelihood, %s", async (_, weight, rows) => {
  const found = await built.calibrate({
    ...{ inputs: [input], label: "label", weight },
  });
  const T = bestTemperature(rows);
  const [before, after] = [measures(rows, 1), measures(rows, T)];
  expect(found.temperature / T).toBeCloseTo(1, 10);
  expect(found.std_error).toBeCloseTo(T ** 2 / Math.sqrt(after.variance), 10);
  expect(found).toMatchObject({
    ...{ rows: 3000, weight: before.W, badRows: 0, classes: Q },
  });
  for (const name of ["nll", "ece", "brier"] as const) {
    expect(found[name].before).toBeCloseTo(before[name], 12);
    expect(found[name].after).toBeCloseTo(after[name], 8);
  }
});

test("several inputs and threads give the bits of one", async () => {
  const parts = [ROWS.slice(0, 2048), ROWS.slice(2048)].map((rows, n) => {
    const path = at(`part-${n}.arrow`);
    writeArrow(path, columns(rows));
    return path;
  });
  const label = "label";
  const one = await built.calibrate({ inputs: [input], label, threads: 1 });
  const two = await built.calibrate({
    inputs: parts.reverse(),
    label,
    threads: 2,
  });
  expect([two.temperature, two.std_error, two.nll]).toEqual([
    ...[one.temperature, one.std_error, one.nll],
  ]);
});

test("more files than a process may open", () => {
  const directory = at("many");
  mkdirSync(directory);
  for (let k = 0; k < 100; k++)
    writeArrow(join(directory, `${k}.arrow`), columns(ROWS.slice(k, k + 3)));
  const run = (limit: number) =>
    spawnSync(
      "sh",
      [
        "-c",
        `ulimit -n ${limit}; exec "$0" "$@"`,
        ...[process.execPath, CLI, "calibrate", directory],
        ...["--label", "label", "--json"],
      ],
      { encoding: "utf8" },
    );
  const [few, all] = [run(70), run(1000)].map(({ stdout }) => {
    const { rows, temperature, std_error, passes } = JSON.parse(stdout);
    return { rows, temperature, std_error, passes };
  });
  expect(few?.rows).toBe(300);
  expect(few).toEqual(all);
});

test("a file of the temperature is that of run and reduce", async () => {
  const T = at("T.json");
  const command = softjac("calibrate", input, "--label", "label", "-o", T);
  expect(command.stderr).toMatch(/^T = \d\.\d+\n/m);
  const { temperature } = JSON.parse(readFileSync(T, "utf8"));
  const given = { input, emit: ["softmax"], output: at("a.arrow") } as const;
  await built.run({ ...given, temperature });
  await built.run({ ...given, temperatureFile: T, output: at("b.arrow") });
  expect(readFileSync(at("b.arrow"))).toEqual(readFileSync(at("a.arrow")));
  const output = at("means.arrow");
  const { label, ...reduced } = { label: "label", inputs: [input], output };
  await built.reduce({
    ...reduced,
    label,
    temperatureFile: T,
    emit: ["cross_entropy"],
  });
  const row = tableFromIPC(readFileSync(output)).get(0);
  const { nll } = await built.calibrate({ inputs: [input], label });
  expect(row?.cross_entropy).toBeCloseTo(nll.after, 12);
});

const NAN = [Number.NaN, 0, 0, 0];
test.each([
  [
    "every row correct",
    [{ logits: [3, 1, 0, 0], label: 0, w: 1 }],
    "logits: no finite temperature fits: every row is predicted correctly, so the likelihood grows as T approaches 0; calibrate on rows that the model was not trained on",
  ],
  [
    "labels of small logits",
    [{ logits: [3, 1, 0, 0], label: 3, w: 1 }],
    "logits: no positive temperature fits: the logit of the label is on average not above the mean logit of its row; check that the column holds logits and that labels use the same class order",
  ],
  [
    "only weight 0",
    [{ logits: [3, 1, 0, 0], label: 0, w: 0 }],
    "logits: expected at least one good row of positive weight, found none",
  ],
  [
    "a bad row",
    [{ logits: NAN, label: 0, w: 1 }],
    "row 0: expected finite logits or -inf for masked classes, found NaN in class 0 (--on-bad-row skip leaves such rows out)",
  ],
])("%s: an error, and no file", async (name, rows, message) => {
  const path = at(`${name}.arrow`);
  writeArrow(path, columns(rows));
  const output = at(`${name}.json`);
  const call = built.calibrate({
    inputs: [path],
    label: "label",
    weight: "w",
    output,
  });
  await expect(call).rejects.toMatchObject({
    message: `${path}: ${message}`,
    exitCode: 65,
  });
  expect(existsSync(output)).toBe(false);
});

test.each([2 ** 20, 2 ** -20, 2 ** 500, 2 ** -500])(
  "logits times %d have T times as large",
  async (scale) => {
    const scaled = at("scaled.arrow");
    const rows = ROWS.map(({ logits, ...row }) => {
      return { ...row, logits: logits.map((o) => o * scale) };
    });
    writeArrow(scaled, columns(rows));
    const options = { label: "label", weight: "w" };
    const one = await built.calibrate({ inputs: [input], ...options });
    const found = await built.calibrate({ inputs: [scaled], ...options });
    expect(found.temperature / scale / one.temperature).toBeCloseTo(1, 8);
    expect(found.nll.after).toBeCloseTo(one.nll.after, 10);
  },
);

test("a label of a masked class makes a bad row", async () => {
  const path = at("masked.arrow");
  const masked = { logits: [-Infinity, 1, 0, 2], label: 0, w: 1 };
  writeArrow(path, columns([...ROWS.slice(0, 500), masked]));
  const given = { inputs: [path], label: "label" };
  await expect(built.calibrate(given)).rejects.toThrow(
    `${path}: row 500: expected a class that is not masked in label, found 0, whose logit is -inf (--on-bad-row skip leaves such rows out)`,
  );
  const found = await built.calibrate({ ...given, onBadRow: "skip" });
  expect(found).toMatchObject({ rows: 500, badRows: 1 });
});

test.each([
  [
    ["--temperature", "2", "--temperature-file", "T"],
    64,
    /give only one of them/,
  ],
  [["--temperature-file", "none.json"], 66, /none.json: no such file/],
  [
    ["--temperature-file", "bad.json"],
    65,
    /expected a JSON file of softjac calibrate/,
  ],
])("run %s: exit code %i", (options, status, message) => {
  writeFileSync(at("bad.json"), '{"temperature": -1}');
  const words = options.map((word) =>
    word.endsWith(".json") ? at(word) : word,
  );
  const found = softjac("run", input, "-o", at("none.arrow"), ...words);
  expect(found.stderr).toMatch(message);
  expect(found.status).toBe(status);
});

test.skipIf(!existsSync(shared))(
  "the digits data of scikit-learn, against 64-bit mantissas",
  async () => {
    const found = await built.calibrate({
      ...{
        inputs: [`${shared}digits.arrow`],
        column: "logits",
        label: "label",
      },
    });
    expect(found.temperature).toBeCloseTo(0.39163172829936677, 14);
    expect(found.std_error).toBeCloseTo(0.03374569, 8);
    expect(found.nll.before).toBeCloseTo(191.25961974118843 / 1797, 15);
    expect(found.ece.before).toBeCloseTo(0.06629721424972428, 14);
  },
);
