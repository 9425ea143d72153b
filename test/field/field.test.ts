import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { softjacIn } from "../cli/support.js";
import {
  inputRuns,
  near,
  type Options,
  softmaxOf,
} from "../support/input-runs.js";

// Files as people have them (make.py). The numbers are computed here from the formula of make.py.

const { at, run } = inputRuns();
const cwd = fileURLToPath(new URL("files", import.meta.url));

function logits(rows: number, classes: number): number[][] {
  return Array.from({ length: rows }, (_, row) =>
    Array.from(
      { length: classes },
      (_, k) => (((37 * (row * classes + k)) % 41) - 20) / 4,
    ),
  );
}

/** Returns p of each class, and -log p of the classes 0, 1, … in turn. */
function expected(rows: number, classes: number) {
  const table = logits(rows, classes);
  const lossOf = (row: number[], r: number): number | null => {
    const sum = row.reduce((sum, z) => sum + Math.exp(z), 0);
    return near(Math.log(sum) - (row[r % classes] as number), 6);
  };
  return {
    softmax: table.map((row) => softmaxOf(row, 6)),
    cross_entropy: table.map(lossOf),
  };
}

const id = [0, 1, 2, 3, 4, 5];
/** Row 3 of the vectors of Spark is sparse. */
const sparse = softmaxOf([0, 2.5, 0, 0], 6);
const ANSWERS = logits(4, 5).map((row, r) =>
  softmaxOf(
    row.map((z, k) => (k < ([3, 5, 4, 3][r] as number) ? z : null)),
    6,
  ),
);
/** Row r has every 100th number of the array. */
const VOLUME = Array.from({ length: 100 }, (_, row) =>
  softmaxOf(
    [0, 1, 2].map((k) => logits(300, 1)[k * 100 + row]?.[0] as number),
    6,
  ),
);
const LABELLED: Options = { emit: ["softmax", "cross_entropy"] };

test.each<[file: string, options: Options, columns: Record<string, unknown[]>]>(
  [
    [
      "decimals.parquet",
      { ...LABELLED, columns: "SCORE_*", label: "LABEL" },
      expected(12, 4),
    ],
    [
      "documents.parquet",
      { ...LABELLED, label: "labels", keep: ["doc"] },
      {
        ...expected(12, 4),
        row: [0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2],
        position: [0, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 3],
        doc: [..."xxxxxyyyzzzz"],
      },
    ],
    [
      "levels.parquet",
      { columns: "('logit'*", keep: ["('meta'", " 'id')"] },
      { softmax: expected(6, 3).softmax, "('meta', 'id')": id },
    ],
    [
      "spark.parquet",
      { column: "rawPrediction", keep: ["id"] },
      {
        softmax: expected(6, 4).softmax.with(3, sparse),
        id,
      },
    ],
    ...["labels", "flags"].map(
      (label): [string, Options, Record<string, unknown[]>] => [
        "one-hot.npz",
        { ...LABELLED, column: "logits", label },
        expected(12, 4),
      ],
    ),
    [
      "factor.feather",
      { ...LABELLED, columns: "lp.*", label: "Species", onBadRow: "null" },
      { cross_entropy: expected(12, 3).cross_entropy.with(4, null) },
    ],
    ["choices.parquet", { pad: true }, { softmax: ANSWERS }],
    ["volume.npz", { classAxis: 0 }, { softmax: VOLUME }],
    ...["avro", "hive", "bare"].map(
      (kind): [string, Options, Record<string, unknown[]>] => [
        `lists-${kind}.parquet`,
        { keep: ["id"] },
        { softmax: expected(6, 4).softmax, id },
      ],
    ),
  ],
)("%s", async (file, options, columns) => {
  const { column } = await run({ input: `${cwd}/${file}`, ...options });
  for (const [name, values] of Object.entries(columns))
    expect(column(name)).toEqual(values);
});

test("a configuration file of Windows PowerShell: a byte order mark, and CR LF", () => {
  const [utf8, utf16] = [at("options.json"), at("options-16.json")];
  const options = '\ufeff{\r\n  "emit": "softmax,logsumexp"\r\n}\r\n';
  writeFileSync(utf8, options);
  writeFileSync(utf16, options, "utf16le");
  const args = ["run", "six.npy", "-o", at("six.arrow"), "--config"];
  expect(softjacIn({ cwd }, ...args, utf8).status).toBe(0);
  expect(softjacIn({ cwd }, ...args, utf16)).toMatchObject({
    status: 78,
    stderr: `softjac: ${utf16}: expected JSON in UTF-8, found UTF-16; save the file as UTF-8\n`,
  });
});
