import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import {
  bool,
  decimal,
  dictionary,
  fixedSizeList,
  float16,
  float32,
  float64,
  int32,
  largeList,
  largeUtf8,
  list,
  map,
  struct,
  tableFromIPC,
  utf8,
} from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { CLI, softjac, softjacIn } from "../cli/support.js";
import { columnsFirst, npy, safetensors, zip } from "../support/array-files.js";
import { arrowOf, type Type } from "../support/arrow-columns.js";
import { workDirectory } from "../support/logits-input.js";

// Every row of the tables of docs/inputs.md: the command reads such a file, or refuses it with the words of the table.

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${root}docs/inputs.md`, "utf8");
const at = workDirectory();
const input = at("in");
const output = at("out.arrow");

/** The cells of the table below a heading, without its head. */
function tableOf(heading: string): string[][] {
  const section = page.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return section
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .slice(1)
    .filter((line) => !line.startsWith("| -"))
    .map((line) =>
      line
        .slice(2, -1)
        .split(/(?<!\\)\| /)
        .map((cell) => cell.trim()),
    );
}

interface Case {
  /** Makes the file `input`. */
  make?: () => void;
  args?: string[];
  /** Options with which the command reads the same file. */
  fixedBy?: string[];
}

function run(args: string[]) {
  rmSync(output, { recursive: true, force: true });
  rmSync(at("out"), { recursive: true, force: true });
  return softjacIn({ cwd: at(".") }, "run", ...args);
}

const twoByTwo = Float64Array.of(1, 2, 3, 4);
const rows = [
  [1, 2],
  [3, 4],
];

const logits = (values: unknown[], type: Type) =>
  arrowOf({ logits: [values, type] });
const plain = logits(rows, fixedSizeList(float64(), 2));
const pair = fixedSizeList(float64(), 2);
const stream = arrowOf({ logits: [rows, pair] }, { format: "stream" });
const square = npy(twoByTwo, [2, 2]);
const file = (bytes: Uint8Array | string) => () => writeFileSync(input, bytes);
const latin1 = (text: string) =>
  file(Buffer.from(text + "\0".repeat(99), "latin1"));
const copy = (path: string) => () =>
  copyFileSync(`${root}test/input/${path}`, input);
const perClass = arrowOf({
  id: [[1, 2], int32()],
  logit_0: [[1, 3], float64()],
  logit_1: [[2, 4], float64()],
});

const LABELLED =
  `${input} -o ${output} --column logits --label label --emit cross_entropy`.split(
    " ",
  );
const labelled = (values: unknown[], type: Type) =>
  file(
    arrowOf({
      logits: [rows, pair],
      label: [values, type],
    }),
  );
const nested = arrowOf({
  out: [
    rows.map((logits) => ({ logits })),
    struct({ logits: list(float64()) }),
  ],
});

/** A file of softjac's own, its log-softmax as logits. */
function compressed(codec: string): () => void {
  return () => {
    writeFileSync(at("plain"), plain);
    softjac(
      ...["run", at("plain"), "-o", `${input}.arrow`, "--force"],
      ...["--quiet", "--emit", "log_softmax", "--compress", codec],
    );
    copyFileSync(`${input}.arrow`, input);
  };
}

/** A file that is read with these options, or refused. */
const reading = (bytes: Uint8Array | string, ...options: string[]): Case => ({
  make: file(bytes),
  args: [input, "-o", output, ...options],
});

/** A file that is read only with these options. */
const fixed = (bytes: Uint8Array | string, ...fixedBy: string[]): Case => ({
  make: file(bytes),
  fixedBy,
});

/** By the heading of a table and the first cell of a row, the files. */
const READ: Record<string, Record<string, Case[]>> = {
  Formats: {
    "Arrow IPC file (Feather V2)": [reading(plain)],
    "Arrow IPC file, LZ4 or Zstandard": [
      { make: compressed("lz4") },
      { make: compressed("zstd") },
    ],
    "Arrow IPC stream": [reading(stream)],
    Parquet: [{ make: copy("parquet/pyarrow-zstd.parquet") }],
    "NumPy `.npy`": [
      reading(square),
      reading(npy(columnsFirst(twoByTwo, 2), { shape: [2, 2], fortran: true })),
    ],
    "NumPy `.npz`": [false, true].map((deflated) =>
      reading(zip({ "logits.npy": square }, { deflated })),
    ),
    safetensors: [
      reading(
        safetensors({
          logits: { dtype: "F64", shape: [2, 2], values: twoByTwo },
        }),
      ),
    ],
    "standard input (`-`)": [
      { make: file(plain), args: ["-", "-o", output] },
      {
        make: file(square),
        args: ["-", "-o", output],
      },
    ],
  },
  Shapes: {
    "a column of fixed-size lists": [reading(plain)],
    "a column of lists or large lists": [list, largeList].map((of) =>
      reading(logits(rows, of(float64()))),
    ),
    "lists of lists, or tensors (`arrow.fixed_shape_tensor`)": [
      list(list(float64())),
      largeList(list(float64())),
      list(pair),
      fixedSizeList(pair, 1),
    ].map((type) => reading(logits([[[1, 2]], [[3, 4]]], type))),
    "a struct with one number per class": [
      reading(
        logits(
          rows.map(([a, b]) => ({ a, b })),
          struct({ a: float64(), b: float64() }),
        ),
      ),
    ],
    "one of these in a struct (`--column out.logits`)": [
      reading(nested, "--column", "out.logits"),
    ],
    "one column per class (`--columns 'logit_*'`)": [
      reading(perClass, "--columns", "logit_*"),
    ],
    "an array of shape (rows, classes)": [reading(square)],
    "an array of three dimensions": [reading(npy(twoByTwo, [1, 2, 2]))],
    "several such arrays (`--columns 'batch_*'`)": [
      reading(
        zip({
          "batch_0.npy": npy(twoByTwo.subarray(0, 2), [1, 2]),
          "batch_1.npy": npy(twoByTwo.subarray(2), [1, 2]),
        }),
        "--columns",
        "batch_*",
      ),
    ],
    "an array of two or more dimensions (`--class-axis N`)": [
      reading(npy(twoByTwo, [1, 1, 2, 2]), "--class-axis", "-1"),
      reading(npy(Float64Array.of(1, 3, 2, 4), [2, 1, 2]), "--class-axis", "0"),
    ],
    "margins (`--binary`): an array of shape (rows,) or (rows, 1), a column of numbers, or lists of one number":
      [
        npy(twoByTwo, [4]),
        npy(twoByTwo, [4, 1]),
        arrowOf({ z: [[1, 2], float64()] }),
        logits([[1], [2]], fixedSizeList(float64(), 1)),
        logits([[1], [2]], list(float64())),
      ].map((bytes) => reading(bytes, "--binary")),
  },
};

const RESULT_TYPES: Record<string, (() => void)[]> = {
  "float16, float32, bfloat16": [
    file(logits(rows, fixedSizeList(float16(), 2))),
    file(logits(rows, fixedSizeList(float32(), 2))),
    copy("arrays/written/torch-bfloat16.safetensors"),
  ],
  "float8 (`F8_E4M3`, `F8_E5M2`)": ["F8_E4M3", "F8_E5M2"].map((dtype) =>
    file(
      safetensors({
        logits: { dtype, shape: [2, 2], values: Uint8Array.of(1, 2, 3, 4) },
      }),
    ),
  ),
  float64: [file(plain)],
  "integers of 8 to 64 bits": ["i1", "u1", "i8", "u8"].map((name) =>
    copy(`arrays/written/${name}.npy`),
  ),
  decimals: [file(logits(rows, fixedSizeList(decimal(4, 1), 2)))],
};

const REFUSED: Record<string, Case[]> = {
  "CSV or text": [reading("id,logit_0,logit_1\n1,2,3\n")],
  "JSON or JSON lines": [reading('{"logits": [1, 2]}\n')],
  "gzip, xz, bzip2, Zstandard or LZ4 around a whole file": [
    reading(gzipSync(square)),
    { make: latin1("\xfd7zXZ\0") },
    { make: latin1("BZh91AY&SY") },
    { make: latin1("\x28\xb5\x2f\xfd") },
    { make: latin1("\x04\x22\x4d\x18") },
  ],
  tar: [{ make: latin1(`${"\0".repeat(257)}ustar\0`) }],
  HDF5: [{ make: latin1("\x89HDF\r\n\x1a\n") }],
  "MATLAB `.mat`": [{ make: latin1("MATLAB 5.0 MAT-file") }],
  "R `.rds` or `.rda`": [
    {
      make: () => writeFileSync(`${input}.rds`, gzipSync("X\n")),
      args: [`${input}.rds`, "-o", output],
    },
  ],
  "ORC or Avro": [{ make: latin1("ORC") }, { make: latin1("Obj\x01") }],
  "Feather V1": [{ make: latin1("FEA1") }],
  "HTML or XML": [reading("<!DOCTYPE html><html>")],
  "Git LFS pointer": [reading("version https://git-lfs.github.com/spec/v1\n")],
  pickle: [{ make: latin1("\x80\x04\x95") }],
  "PyTorch `.pt`": [{ make: copy("arrays/written/refused-torch.pt") }],
  "pickled NumPy array": [{ make: copy("arrays/written/refused-objects.npy") }],
  "encrypted Parquet": [{ make: copy("parquet/encrypted.parquet") }],
  "empty file": [reading("")],
  "truncated file": [reading(plain.subarray(0, -20))],
  "truncated stream": [fixed(stream.subarray(0, -8), "--allow-missing-eos")],
  "array of 4 or more dimensions": [
    fixed(npy(twoByTwo, [1, 1, 2, 2]), "--class-axis", "1"),
  ],
  "array of 1 dimension, or a column of numbers": [
    fixed(npy(twoByTwo, [4]), "--binary"),
    fixed(arrowOf({ z: [[1, 2], float64()] }), "--binary"),
  ],
  "float128 or complex array": [
    reading(npy(twoByTwo, { descr: "<c16", shape: [2, 1] })),
  ],
  "bfloat16 in `.npy`": [
    reading(npy(twoByTwo, { descr: "<V2", shape: [4, 4] })),
  ],
  "one column per class": [fixed(perClass, "--columns", "logit_*")],
  "logits in a struct": [fixed(nested, "--column", "out.logits")],
  "several columns of lists": [
    fixed(
      arrowOf({
        teacher: [rows, list(float64())],
        student: [rows, list(float64())],
      }),
      "--column",
      "teacher",
    ),
  ],
  "several arrays": [
    fixed(
      zip({
        "train.npy": square,
        "test.npy": square,
      }),
      "--column",
      "train",
    ),
  ],
  "lists of lists of lists": [
    reading(logits([[[[1, 2]]], [[[3, 4]]]], list(list(list(float64()))))),
  ],
  "logits as text": [reading(logits(["1,2", "3,4"], utf8()))],
  "token ids or labels": [
    fixed(
      arrowOf({ input_ids: [rows, list(int32())] }),
      "--column",
      "input_ids",
    ),
  ],
  "integers with −100": [
    fixed(
      arrowOf({
        tags: [
          [
            [1, 2],
            [-100, 4],
          ],
          list(int32()),
        ],
      }),
      "--column",
      "tags",
    ),
  ],
  "labels that are strings, without class names": [
    {
      make: labelled(["no", "yes"], utf8()),
      args: LABELLED,
      fixedBy: ["--class-names", "no,yes"],
    },
  ],
  "label that is not among the class names": [
    {
      make: labelled(["no", "yes"], utf8()),
      args: [...LABELLED, "--class-names", "no,maybe"],
    },
  ],
  "label 255, or another number that is no class": [
    { make: labelled([0, 255], int32()), args: LABELLED },
  ],
  "lists of different lengths": [
    reading(logits([[1, 2], [3]], list(float64()))),
  ],
  "union or map in `--keep`": [
    reading(
      arrowOf({
        logits: [rows, pair],
        tags: [rows.map(() => [["a", 1]]), map(utf8(), int32())],
      }),
      "--keep",
      "tags",
    ),
  ],
  "null logit": [
    fixed(
      logits(
        [
          [1, 2],
          [3, null],
        ],
        list(float64()),
      ),
      "--null-logit",
      "mask",
    ),
  ],
  "null row": [
    fixed(logits([[1, 2], null], list(float64())), "--on-bad-row", "null"),
  ],
  "NaN, +inf, or all −inf": [
    fixed(
      logits(
        [
          [1, 2],
          [3, Number.NaN],
        ],
        list(float64()),
      ),
      "--on-bad-row",
      "skip",
    ),
  ],
  "lists without rows": [reading(logits([], list(float64())))],
  "directory without files": [{ make: () => mkdirSync(input) }],
  "missing file": [{}],
  "named pipe or device": [
    { make: () => execFileSync("mkfifo", [input]) },
    { args: ["/dev/null", "-o", output] },
  ],
  "`gs://`, `az://`, `https://`, `hf://`": ["gs", "az", "https", "hf"].map(
    (scheme) => ({ args: [`${scheme}://b/x.arrow`, "-o", output] }),
  ),
  "`file://`": [{ args: ["file:///x.arrow", "-o", output] }],
  "`s3://` with one output file": [
    { args: ["s3://bucket/x.arrow", "-o", output] },
  ],
};

function prepare({ make }: Case): void {
  rmSync(input, { recursive: true, force: true });
  make?.();
}

describe.each(Object.entries(READ))("%s", (heading, cases) => {
  test("every row has a test", () => {
    const named = tableOf(heading).map(([first]) => first);
    expect(named).toEqual(Object.keys(cases));
  });

  test.each(Object.entries(cases))("%s", (_, files) => {
    for (const one of files) {
      prepare(one);
      const args = one.args ?? [input, "-o", output];
      // Standard input is a pipe.
      const { status, stderr } =
        args[0] === "-"
          ? spawnSync(
              "bash",
              [
                "-c",
                `cat in | "$0" "$@"`,
                process.execPath,
                CLI,
                "run",
                ...args,
              ],
              { cwd: at("."), encoding: "utf8" },
            )
          : run(args);
      expect(status, stderr).toBe(0);
      if (heading === "Formats" && /parquet/i.test(_)) continue;
      const table = tableFromIPC(readFileSync(output));
      const [row] = table.getChild("softmax").toArray() as number[][];
      const e = Math.E;
      expect(row?.[0]).toBeCloseTo(1 / (1 + e), 12);
      expect(row?.[1]).toBeCloseTo(e / (1 + e), 12);
      rmSync(output);
    }
  });
});

test("the types of results", () => {
  const table = tableOf("Types");
  expect(table.map(([first]) => first)).toEqual(Object.keys(RESULT_TYPES));
  for (const [first = "", results] of table)
    for (const make of RESULT_TYPES[first] ?? []) {
      prepare({ make });
      const { stdout, stderr } = run([
        ...[input, "-o", output, "--json", "--quiet"],
      ]);
      expect(JSON.parse(stdout).dtype, stderr).toBe(results);
    }
});

test("the labels", () => {
  const cases: [values: unknown[], type: Type, options?: string[]][][] = [
    [
      [[1, 0], int32()],
      [[1, 0], float64()],
      [[1, 0], decimal(4, 1)],
      [[true, false], bool()],
      [[[1], [0]], list(int32())],
    ],
    [
      [
        [
          [0, 1],
          [1, 0],
        ],
        pair,
      ],
    ],
    [
      [["yes", "no"], utf8(), ["--class-names", "no,yes"]],
      [["yes", "no"], largeUtf8(), ["--class-names", "no,yes"]],
    ],
    [
      [["yes", "no"], dictionary(utf8(), int32()), ["--class-names", "no,yes"]],
      // The codes are 0 and 1 in the order of first use.
      [["yes", "no"], dictionary(utf8(), int32())],
    ],
    [[[1, 0], dictionary(int32(), int32())]],
  ];
  expect(tableOf("Labels")).toHaveLength(cases.length);
  for (const [n, files] of cases.entries())
    for (const [k, [values, type, options = []]] of files.entries()) {
      labelled(values, type)();
      const { status, stderr } = run([...LABELLED, ...options]);
      expect(status, stderr).toBe(0);
      const table = tableFromIPC(readFileSync(output));
      const found = [...table.getChild("cross_entropy")] as number[];
      const [low, high] = [Math.log1p(1 / Math.E), Math.log1p(Math.E)];
      const areCodes = n === 3 && k === 1;
      expect(found[0]).toBeCloseTo(areCodes ? high : low, 12);
      expect(found[1]).toBeCloseTo(areCodes ? low : high, 12);
    }
});

test("the locations", () => {
  expect(tableOf("Locations").map(([first]) => first)).toEqual([
    "a file",
    "several files, a directory, a pattern",
    "`s3://bucket/key`",
    "`-`",
  ]);
  mkdirSync(at("logits"));
  for (const name of ["logits/a.arrow", "logits/b.arrow"])
    writeFileSync(at(name), plain);
  for (const args of [
    ["logits/a.arrow", "-o", output],
    ["logits/a.arrow", "logits/b.arrow", "-o", "out/"],
    ["logits", "-o", "out/"],
    ["logits/*.arrow", "-o", "out/"],
  ])
    expect(run(args)).toMatchObject({ status: 0 });
});

describe("refused", () => {
  const table = tableOf("What is refused, and what to do");

  test("every row has a test", () => {
    expect(table.map(([first]) => first)).toEqual(Object.keys(REFUSED));
  });

  test.each(table)("%s", (first, printed = "") => {
    const [, words = "", exit = "65"] =
      /^`(.*)`(?: \((\d\d)\))?$/.exec(printed) ?? [];
    expect(words).not.toBe("");
    for (const one of REFUSED[first as string] ?? []) {
      prepare(one);
      const { status, stderr } = run(one.args ?? [input, "-o", output]);
      let from = 0;
      for (const piece of words.split("…")) {
        const found = stderr.indexOf(piece, from);
        expect(found, `${stderr} has no ${piece}`).toBeGreaterThanOrEqual(from);
        from = found + piece.length;
      }
      expect(status).toBe(Number(exit));
      if (!one.fixedBy) continue;
      const after = run([input, "-o", output, ...one.fixedBy]);
      expect(after.status, after.stderr).toBe(0);
    }
  });
});

test.each([
  ["inspect", "gs://b/x"],
  ["show", "gs://b/x", "--row", "1"],
  ["verify", "gs://b/x", "--input", "in"],
  ["report", "gs://b/x", "-o", "page.html"],
  ["plan", "gs://b/x", "-o", "out/"],
  ["plan", "in", "-o", "gs://b/out/"],
  ["run", "in", "-o", "gs://b/out.arrow"],
  ["generate", "gs://b/x", "--rows", "1", "--classes", "2"],
  ["status", "gs://b/x"],
  ["gc", "gs://b/x"],
])("softjac %s %s: a scheme that is not supported", (...args) => {
  prepare({ make: file(plain) });
  const { status, stderr } = softjacIn({ cwd: at(".") }, ...args);
  expect(status).toBe(64);
  expect(stderr).toMatch(/^softjac: gs:\/\/ is not supported; .* s3:\/\//);
});

test("a URL that is refused is not printed: it may hold a signature", () => {
  const { stderr } = run(["https://h/x?signature=secret", "-o", output]);
  expect(stderr).toMatch("https:// is not supported");
  expect(stderr).not.toMatch("secret");
});

test("softjac inspect of an s3:// location", () => {
  const { status, stderr } = softjac("inspect", "s3://bucket/x");
  expect(status).toBe(64);
  expect(stderr).toBe(
    "softjac: s3:// is supported by the commands of datasets only (softjac run, plan, submit); download the file first\n",
  );
});

test("the commands of the page run in an empty directory", () => {
  const [, code = ""] = /```sh\n(.*?)```/s.exec(page) ?? [];
  mkdirSync(at("empty"));
  const command = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  const printed = execFileSync("bash", ["-ec", `${command}\n${code}`], {
    cwd: at("empty"),
    encoding: "utf8",
  });
  expect(printed).toMatch(/rows +1,000 in 1 batch/);
});
