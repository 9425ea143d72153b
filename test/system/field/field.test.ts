import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { CLI, softjacIn } from "../../cli/support.js";
import { workDirectory } from "../../support/logits-input.js";
import { pairsOf } from "../../support/pairs-of.js";
import { outputOf } from "../../support/runs.js";

// Files as people have them (make.py), and the command that they try. The numbers are computed here from the same formula.

const cwd = fileURLToPath(new URL("files", import.meta.url));
const at = workDirectory();
const output = at("out.arrow");

// Configuration files as Windows PowerShell 5.1 writes them: a byte order mark, and CR LF.
const utf8 = at("options.json");
const utf16 = at("options-16.json");
const options = '\ufeff{\r\n  "emit": "softmax,logsumexp"\r\n}\r\n';
fs.writeFileSync(utf8, options);
fs.writeFileSync(utf16, options, "utf16le");

type Rows = readonly (readonly number[])[];

function logits(rows: number, classes: number): number[][] {
  return Array.from({ length: rows }, (_, row) =>
    Array.from(
      { length: classes },
      (_, k) => (((37 * (row * classes + k)) % 41) - 20) / 4,
    ),
  );
}

const count = (rows: number) => Array.from({ length: rows }, (_, row) => row);

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

function softmax(rows: Rows): number[][] {
  return rows.map((row) => {
    const max = Math.max(...row);
    const e = row.map((z) => Math.exp(z - max));
    const total = sum(e);
    return e.map((value) => value / total);
  });
}

function jacobian(rows: Rows): number[][] {
  return softmax(rows).map((p) =>
    p.flatMap((pi, i) =>
      p.map((pj, j) => (i === j ? pi * sum(p.toSpliced(i, 1)) : -pi * pj)),
    ),
  );
}

/** Returns -log p of the classes 0, 1, … in turn. */
function crossEntropy(rows: Rows): number[] {
  return rows.map((row, r) => {
    const own = row[r % row.length] as number;
    const others = row.toSpliced(r % row.length, 1);
    return Math.log1p(sum(others.map((z) => Math.exp(z - own))));
  });
}

const both = (rows: Rows) => ({
  softmax: softmax(rows),
  jacobian: jacobian(rows),
});

type Columns = Record<string, readonly unknown[]>;

/** The expected value where the found one is within its rounding errors, or else the found one. */
function rounded(
  found: unknown,
  expected: unknown,
  tolerance: number,
): unknown {
  if (Array.isArray(found) && Array.isArray(expected))
    return found.map((value, k) => rounded(value, expected[k], tolerance));
  if (typeof found !== "number" || typeof expected !== "number") return found;
  const isNear = Math.abs(found - expected) <= tolerance * Math.abs(expected);
  return isNear ? expected : found;
}

function expectColumns(path: string, columns: Columns): void {
  const files = path.endsWith(".arrow")
    ? [path]
    : fs.readdirSync(path).filter((name) => name.endsWith(".arrow"));
  const outputs = files.sort().map((name) => outputOf(resolve(path, name)));
  const isSingle = outputs[0]?.metadata["softjac.dtype"] === "float32";
  for (const [name, expected] of Object.entries(columns)) {
    const found = outputs.flatMap(({ column }) => column(name));
    expect(rounded(found, expected, isSingle ? 5e-7 : 1e-14), name).toEqual(
      expected,
    );
  }
}

const B = logits(8, 1).map(([z]) => [0, z as number]);
const ANSWERS = logits(4, 5).map((row, r) =>
  row.map((z, k) => (k < ([3, 5, 4, 3][r] as number) ? z : -Infinity)),
);
const VECTORS = logits(6, 4).with(3, [0, 2.5, 0, 0]);
const TOKENS = logits(15, 4).map((row, r) =>
  r % 5 < ([5, 3, 4][Math.floor(r / 5)] as number) ? row : row.map(() => -100),
);
/** Row r has every 100th number of the array. */
const VOLUME = count(100).map((row) =>
  [0, 1, 2].map((k) => logits(300, 1)[k * 100 + row]?.[0] as number),
);
const COUNTED = [1, 2, 4, 5, 6, 7, 8];
const USE_BINARY =
  "if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)";
const LABEL = "--emit cross_entropy --label";
const ONE_HOT = { cross_entropy: crossEntropy(logits(12, 4)) };
const WITH_ID = { ...both(logits(6, 4)), id: count(6) };

/** Arguments of `softjac run` and columns of the output; numbers are compared to the precision of their type. */
const READ: Record<string, Columns> = {
  // Margins of a binary classifier.
  "margins.npy --binary": both(B),
  "margins-column.npy --binary": both(B),
  // A configuration file with a byte order mark.
  [`six.npy --config ${utf8}`]: {
    softmax: softmax(logits(6, 3)),
    logsumexp: logits(6, 3).map((row) => Math.log(sum(row.map(Math.exp)))),
  },
  // Decimals of a warehouse.
  "decimals.parquet --columns SCORE_* --label LABEL --emit softmax,cross_entropy":
    {
      softmax: softmax(logits(12, 4)),
      cross_entropy: crossEntropy(logits(12, 4)),
    },
  // An embedding beside one column per class.
  "embedding.parquet --columns logit_*": both(logits(6, 4)),
  // A factor of R as labels.
  [`factor.feather --columns lp.* --on-bad-row null ${LABEL} Species`]: {
    cross_entropy: crossEntropy(logits(12, 3)).with(4, null as never),
  },
  // Labels of -100.
  [`ignored.npz --on-bad-row skip ${LABEL} labels`]: {
    row: COUNTED,
    cross_entropy: COUNTED.map((row) => crossEntropy(logits(10, 5))[row]),
  },
  // Samples of an evaluation with lists to copy.
  "samples.arrow --column logits --emit softmax --keep doc_id,choices,input_ids":
    {
      softmax: softmax(logits(5, 4)),
      doc_id: count(5),
      choices: count(5).map((row) =>
        [..."abc"].slice(0, 1 + (row % 3)).map((c) => `answer ${row}${c}`),
      ),
      input_ids: count(5).map((row) => [row, 7]),
    },
  // A large vocabulary.
  "vocabulary.npy --emit softmax": { softmax: softmax(logits(1, 49152)) },
  // Lists of old writers.
  "lists-avro.parquet --keep id": WITH_ID,
  "lists-hive.parquet --keep id": WITH_ID,
  "lists-bare.parquet --keep id": WITH_ID,
  // Arrays of more than two dimensions.
  "volume.npz --class-axis 0": both(VOLUME),
  "stacked.npy": both(logits(12, 4)),
  "tokens.npy": both(logits(15, 4)),
  // Lists of tokens, with labels.
  "documents.parquet --label labels --keep doc --emit softmax,cross_entropy": {
    row: [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2],
    position: [0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3],
    softmax: softmax(logits(12, 4)),
    cross_entropy: crossEntropy(logits(12, 4)),
    doc: [..."xxxxxyyyzzzz"],
  },
  // Directories that are columns.
  "hive --keep split": {
    ...both(logits(6, 4)),
    split: ["test", "test", "train", "train", "train", "train"],
  },
  // An archive of batches.
  "batches.npz --columns arr_*": both(logits(18, 3)),
  // One-hot labels.
  [`one-hot.npz --column logits ${LABEL} labels`]: ONE_HOT,
  [`one-hot.npz --column logits ${LABEL} flags`]: ONE_HOT,
  // Questions of 3 to 5 answers.
  "choices-padded.parquet --null-logit mask": { softmax: softmax(ANSWERS) },
  "choices.parquet --pad": { softmax: softmax(ANSWERS) },
  // Shards of two types.
  "shards --dtype float64": both([...logits(6, 4), ...logits(6, 4)]),
  // Vectors of Spark.
  "spark.parquet --column rawPrediction --keep id": {
    ...both(VECTORS),
    id: count(6),
  },
  // A stream that replaces a dictionary.
  "replaced.arrows --keep source": {
    ...both(logits(12, 4)),
    source: [..."abbabaxyyxyx"],
  },
  // What a trainer returns.
  "trainer.npz": both(TOKENS),
};

/** Arguments of `softjac run`, each followed by the message that refuses them. */
const REFUSED = `
volume.npz
volume.npz: expected an array of numbers of shape (rows, classes), found softmax: float32 [3, 4, 5, 5]; choose the axis of the classes with --class-axis (-1 is the last), or make it the last and all others rows: numpy.moveaxis(x, AXIS, -1).reshape(-1, CLASSES)
six.npy --config ${utf16}
${utf16}: expected JSON in UTF-8, found UTF-16; save the file as UTF-8
batches.npz
batches.npz: several arrays of floats of shape (rows, classes): arr_0: float32 [4, 3], arr_1: float32 [4, 3], arr_2: float32 [4, 3], arr_3: float32 [4, 3], arr_4: float32 [2, 3]; choose one with --column, or concatenate their rows with --columns
`;

/** Runs the command. Directories are datasets. */
function run(...args: string[]) {
  const target = args[0]?.includes(".") ? output : at("out/");
  fs.rmSync(target, { recursive: true, force: true });
  return { target, ...softjacIn({ cwd }, "run", ...args, "-o", target) };
}

test.each(Object.entries(READ))("%s", (line, columns) => {
  const { target, status, stderr } = run(...line.split(" "));
  expect(status, stderr).toBe(0);
  expectColumns(target, columns);
});

// Names with commas.
test.each(["('meta', 'id')", "('meta'\\, 'id')"])("--keep %s", (keep) => {
  const args = ["levels.parquet", "--columns", "('logit'*", "--keep", keep];
  const { target, status, stderr } = run(...args);
  expect(status, stderr).toBe(0);
  const expected = { ...both(logits(6, 3)), "('meta', 'id')": count(6) };
  expectColumns(target, expected);
});

test.each(pairsOf(REFUSED))("%s: %s", (line, message) => {
  const { target, status, stderr } = run(...line.split(" "));
  expect(stderr).toContain(`softjac: ${message}\n`);
  expect(status).toBe(line.includes(utf16) ? 78 : 65);
  if (target === output) expect(fs.existsSync(target)).toBe(false);
});

test("one class is a warning", () => {
  const { status, stderr } = run("margins-column.npy");
  expect(stderr).toContain(
    `softjac: array: with one class, every probability is 1 and every Jacobian 0; ${USE_BINARY}\n`,
  );
  expect(status).toBe(0);
  const expected = { softmax: B.map(() => [1]), jacobian: B.map(() => [0]) };
  expectColumns(output, expected);
});

test("a file that is compressed as a whole, decompressed into a pipe", () => {
  const input = gzipSync(fs.readFileSync(`${cwd}/tokens.npy`));
  fs.rmSync(output, { force: true });
  const command = `gzip -dc | "$0" "$1" run - -o "$2"`;
  const { status, stderr } = spawnSync(
    "bash",
    ["-c", command, process.execPath, CLI, output],
    { input, encoding: "utf8" },
  );
  expect(status, stderr).toBe(0);
  expectColumns(output, both(logits(15, 4)));
});
