import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { CLI, softjacIn } from "../../cli/support.js";
import {
  columnsFirst,
  npy,
  safetensors,
  zip,
} from "../../support/array-files.js";
import {
  arrowOf,
  type Columns,
  type Type,
} from "../../support/arrow-columns.js";
import { built } from "../../support/built.js";
import { near, rows } from "../../support/input-runs.js";
import { workDirectory } from "../../support/logits-input.js";
import { optionsOf } from "../../support/options-of.js";
import { outputOf } from "../../support/runs.js";

// Every row of the tables of docs/inputs.md: the command reads such a file, or refuses it with the words of the table.

const root = fileURLToPath(new URL("../../..", import.meta.url));
const page = fs.readFileSync(`${root}docs/inputs.md`, "utf8");
const at = workDirectory();
const input = at("in");
const output = at("out.arrow");

/** Returns the cells of the table below a heading, without its head. */
function tableOf(heading: string): string[][] {
  const section = page.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const lines = section.split("\n").filter((line) => /^\| [^-]/.test(line));
  return lines
    .slice(1)
    .map((line) => line.slice(2, -1).split(/(?<!\\)\| /))
    .map((cells) => cells.map((cell) => cell.trim()));
}

/** File, or a function that makes it, with options of the command. */
interface Case {
  file?: Uint8Array | string | (() => void) | undefined;
  /** Input; default: the file. */
  from?: string;
  options?: string;
  /** Options with which the command reads the same file. */
  fixedBy?: string;
}

const softjac = (...args: string[]) => softjacIn({ cwd: at(".") }, ...args);

/** Runs the command in this process if its input is a file, because a process for each of so many takes a minute. */
async function run(...args: string[]) {
  fs.rmSync(output, { recursive: true, force: true });
  fs.rmSync(at("out"), { recursive: true, force: true });
  const isFile = fs.statSync(input, { throwIfNoEntry: false })?.isFile();
  if (args[0] !== input || !isFile) return softjac("run", ...args);
  const options = await optionsOf(args.slice(3));
  return built.run({ ...options, input, output }).then(
    ({ dtype }) => ({ status: 0, stderr: "", dtype }),
    ({ exitCode, message }) => ({ status: exitCode, stderr: message }),
  );
}

/** Makes the file of a case, and returns the arguments of the command. */
function prepare({ file, from = input, options }: Case): string[] {
  fs.rmSync(input, { recursive: true, force: true });
  if (typeof file === "function") file();
  else if (file !== undefined) fs.writeFileSync(input, file);
  return [from, "-o", output, ...(options?.split(" ") ?? [])];
}

const reading = (file: Case["file"], options?: string): Case => ({
  file,
  ...(options && { options }),
});
/** Returns a file that is read only with these options. */
const fixed = (file: Case["file"], fixedBy: string): Case => ({
  ...{ file, fixedBy },
});

const twoByTwo = Float64Array.of(1, 2, 3, 4);
const square = npy(twoByTwo, [2, 2]);
const values = rows("1 2; 3 4");
const lists: [number[][], string] = [values, "list<float64>"];
const records = values.map(([a, b]) => ({ a, b }));
const tensor = { dtype: "F64", shape: [2, 2], values: twoByTwo };
const logits = (values: unknown[], type: Type = "list<float64>") =>
  arrowOf({ logits: [values, type] });
const pair = "fixed_size_list<float64>[2]";
const both: Columns = { logits: [values, pair] };
const plain = arrowOf(both);
const stream = arrowOf(both, { format: "stream" });
const latin1 = (text: string) => Buffer.from(text + "\0".repeat(99), "latin1");
const copy = (path: string) =>
  reading(() => fs.copyFileSync(`${root}test/input/${path}`, input));
const perClass = arrowOf({
  id: [[1, 2], "int32"],
  logit_0: [[1, 3], "float64"],
  logit_1: [[2, 4], "float64"],
});
const nested = arrowOf({
  out: [values.map((logits) => ({ logits })), "struct<logits: list<float64>>"],
});
const LABELS = "--column logits --label label --emit cross_entropy";
const labelled = (values: unknown[], type: Type, more = ""): Case =>
  reading(arrowOf({ ...both, label: [values, type] }), `${LABELS}${more}`);

/** Returns a file of softjac's own, with its log-softmax as logits. */
const compressed = (codec: string) =>
  reading(() => {
    fs.writeFileSync(at("plain"), plain);
    const made = `${input}.arrow`;
    const flags = ["--force", "--emit", "log_softmax", "--compress", codec];
    softjac("run", at("plain"), "-o", made, ...flags);
    fs.copyFileSync(made, input);
  });

/** Files by the heading of a table and the first cell of a row. */
const READ: Record<string, Record<string, Case[]>> = {
  Formats: {
    "Arrow IPC file (Feather V2)": [reading(plain)],
    "Arrow IPC file, LZ4 or Zstandard": [compressed("lz4"), compressed("zstd")],
    "Arrow IPC stream": [reading(stream)],
    Parquet: [copy("parquet/pyarrow-zstd.parquet")],
    "NumPy `.npy`": [
      reading(square),
      reading(npy(columnsFirst(twoByTwo, 2), { shape: [2, 2], fortran: true })),
    ],
    "NumPy `.npz`": [false, true].map((deflated) =>
      reading(zip({ "logits.npy": square }, { deflated })),
    ),
    safetensors: [reading(safetensors({ logits: tensor }))],
    "standard input (`-`)": [plain, square].map((file) => ({
      file,
      from: "-",
    })),
  },
  Shapes: {
    "a column of fixed-size lists": [reading(plain)],
    "a column of lists or large lists": ["list", "large_list"].map((kind) =>
      reading(logits(values, `${kind}<float64>`)),
    ),
    "lists of lists, or tensors (`arrow.fixed_shape_tensor`)": [
      "list<list<float64>>",
      "large_list<list<float64>>",
      `list<${pair}>`,
      `fixed_size_list<${pair}>[1]`,
    ].map((type) => reading(logits([[[1, 2]], [[3, 4]]], type))),
    "a struct with one number per class": [
      reading(logits(records, "struct<a: float64, b: float64>")),
    ],
    "one of these in a struct (`--column out.logits`)": [
      reading(nested, "--column out.logits"),
    ],
    "one column per class (`--columns 'logit_*'`)": [
      reading(perClass, "--columns logit_*"),
    ],
    "an array of shape (rows, classes)": [reading(square)],
    "an array of three dimensions": [reading(npy(twoByTwo, [1, 2, 2]))],
    "several such arrays (`--columns 'batch_*'`)": [
      reading(
        zip({
          "batch_0.npy": npy(twoByTwo.subarray(0, 2), [1, 2]),
          "batch_1.npy": npy(twoByTwo.subarray(2), [1, 2]),
        }),
        "--columns batch_*",
      ),
    ],
    "an array of two or more dimensions (`--class-axis N`)": [
      reading(npy(twoByTwo, [1, 1, 2, 2]), "--class-axis -1"),
      reading(npy(Float64Array.of(1, 3, 2, 4), [2, 1, 2]), "--class-axis 0"),
    ],
    "margins (`--binary`): an array of shape (rows,) or (rows, 1), a column of numbers, or lists of one number":
      [
        npy(twoByTwo, [4]),
        npy(twoByTwo, [4, 1]),
        arrowOf({ z: [[1, 2], "float64"] }),
        logits([[1], [2]], "fixed_size_list<float64>[1]"),
        logits([[1], [2]]),
      ].map((bytes) => reading(bytes, "--binary")),
  },
};

const RESULT_TYPES: Record<string, Case[]> = {
  "float16, float32, bfloat16": [
    reading(logits(values, "fixed_size_list<float16>[2]")),
    reading(logits(values, "fixed_size_list<float32>[2]")),
    copy("arrays/written/torch-bfloat16.safetensors"),
  ],
  "float8 (`F8_E4M3`, `F8_E5M2`)": ["F8_E4M3", "F8_E5M2"].map((dtype) =>
    reading(
      safetensors({
        logits: { dtype, shape: [2, 2], values: Uint8Array.of(1, 2, 3, 4) },
      }),
    ),
  ),
  float64: [reading(plain)],
  "integers of 8 to 64 bits": ["i1", "u1", "i8", "u8"].map((name) =>
    copy(`arrays/written/${name}.npy`),
  ),
  decimals: [reading(logits(values, "fixed_size_list<decimal(4,1)>[2]"))],
};

const NAMES = "--class-names no,yes";
const codes = "dictionary<int32, utf8>";
/** Files with the labels 1 and 0, for each row of the table. */
const LABELLED: Case[][] = [
  [
    labelled([1, 0], "int32"),
    labelled([1, 0], "float64"),
    labelled([1, 0], "decimal(4,1)"),
    labelled([true, false], "bool"),
    labelled([[1], [0]], "list<int32>"),
  ],
  [labelled(rows("0 1; 1 0"), pair)],
  ["utf8", "large_utf8"].map((type) =>
    labelled(["yes", "no"], type, ` ${NAMES}`),
  ),
  [labelled(["yes", "no"], codes, ` ${NAMES}`)],
  [labelled([1, 0], "dictionary<int32, int32>")],
];

const REFUSED: Record<string, Case[]> = {
  "CSV or text": [reading("id,logit_0,logit_1\n1,2,3\n")],
  "JSON or JSON lines": [reading('{"logits": [1, 2]}\n')],
  "gzip, xz, bzip2, Zstandard or LZ4 around a whole file": [
    gzipSync(square),
    latin1("\xfd7zXZ\0"),
    latin1("BZh91AY&SY"),
    latin1("\x28\xb5\x2f\xfd"),
    latin1("\x04\x22\x4d\x18"),
  ].map((bytes) => reading(bytes)),
  tar: [reading(latin1(`${"\0".repeat(257)}ustar\0`))],
  HDF5: [reading(latin1("\x89HDF\r\n\x1a\n"))],
  "MATLAB `.mat`": [reading(latin1("MATLAB 5.0 MAT-file"))],
  "R `.rds` or `.rda`": [
    {
      file: () => fs.writeFileSync(`${input}.rds`, gzipSync("X\n")),
      from: `${input}.rds`,
    },
  ],
  "ORC or Avro": [reading(latin1("ORC")), reading(latin1("Obj\x01"))],
  "Feather V1": [reading(latin1("FEA1"))],
  "HTML or XML": [reading("<!DOCTYPE html><html>")],
  "Git LFS pointer": [reading("version https://git-lfs.github.com/spec/v1\n")],
  pickle: [reading(latin1("\x80\x04\x95"))],
  "PyTorch `.pt`": [copy("arrays/written/refused-torch.pt")],
  "pickled NumPy array": [copy("arrays/written/refused-objects.npy")],
  "encrypted Parquet": [copy("parquet/encrypted.parquet")],
  "empty file": [reading("")],
  "truncated file": [reading(plain.subarray(0, -20))],
  "truncated stream": [fixed(stream.subarray(0, -8), "--allow-missing-eos")],
  "array of 4 or more dimensions": [
    fixed(npy(twoByTwo, [1, 1, 2, 2]), "--class-axis 1"),
  ],
  "array of 1 dimension, or a column of numbers": [
    fixed(npy(twoByTwo, [4]), "--binary"),
    fixed(arrowOf({ z: [[1, 2], "float64"] }), "--binary"),
  ],
  "float128 or complex array": [
    reading(npy(twoByTwo, { descr: "<c16", shape: [2, 1] })),
  ],
  "bfloat16 in `.npy`": [
    reading(npy(twoByTwo, { descr: "<V2", shape: [4, 4] })),
  ],
  "one column per class": [fixed(perClass, "--columns logit_*")],
  "logits in a struct": [fixed(nested, "--column out.logits")],
  "several columns of lists": [
    fixed(arrowOf({ teacher: lists, student: lists }), "--column teacher"),
  ],
  "several arrays": [
    fixed(zip({ "train.npy": square, "test.npy": square }), "--column train"),
  ],
  "lists of lists of lists": [
    reading(logits([[[[1, 2]]], [[[3, 4]]]], "list<list<list<float64>>>")),
  ],
  "logits as text": [reading(logits(["1,2", "3,4"], "utf8"))],
  "token ids or labels": [
    fixed(
      arrowOf({ input_ids: [values, "list<int32>"] }),
      "--column input_ids",
    ),
  ],
  "integers with −100": [
    fixed(
      arrowOf({ tags: [rows("1 2; -100 4"), "list<int32>"] }),
      "--column tags",
    ),
  ],
  "labels that are strings, without class names": [
    { ...labelled(["no", "yes"], "utf8"), fixedBy: NAMES },
  ],
  "label that is not among the class names": [
    labelled(["no", "yes"], "utf8", " --class-names no,maybe"),
  ],
  "label 255, or another number that is no class": [
    labelled([0, 255], "int32"),
  ],
  "lists of different lengths": [reading(logits(rows("1 2; 3")))],
  "union or map in `--keep`": [
    reading(
      arrowOf({
        logits: [values, pair],
        tags: [values.map(() => [["a", 1]]), "map<utf8, int32>"],
      }),
      "--keep tags",
    ),
  ],
  "null logit": [fixed(logits(rows("1 2; 3 null")), "--null-logit mask")],
  "null row": [fixed(logits(rows("1 2; null")), "--on-bad-row null")],
  "NaN, +inf, or all −inf": [
    fixed(logits(rows("1 2; 3 NaN")), "--on-bad-row skip"),
  ],
  "lists without rows": [reading(logits([]))],
  "directory without files": [{ file: () => fs.mkdirSync(input) }],
  "missing file": [{}],
  "named pipe or device": [
    { file: () => execFileSync("mkfifo", [input]) },
    { from: "/dev/null" },
  ],
  "`gs://`, `az://`, `https://`, `hf://`": ["gs", "az", "https", "hf"].map(
    (scheme) => ({ from: `${scheme}://b/x.arrow` }),
  ),
  "`file://`": [{ from: "file:///x.arrow" }],
  "`s3://` with one output file": [{ from: "s3://bucket/x.arrow" }],
};

describe.each(Object.entries(READ))("%s", (heading, cases) => {
  test("every row has a test", () => {
    const named = tableOf(heading).map(([first]) => first);
    expect(named).toEqual(Object.keys(cases));
  });

  test.each(Object.entries(cases))("%s", async (first, files) => {
    for (const one of files) {
      const args = prepare(one);
      const pipe = ["-c", `cat in | "$0" "$@"`, process.execPath, CLI, "run"];
      const { status, stderr } =
        one.from === "-"
          ? spawnSync("bash", [...pipe, ...args], {
              cwd: at("."),
              encoding: "utf8",
            })
          : await run(...args);
      expect(status, stderr).toBe(0);
      if (first === "Parquet") continue;
      const [row] = outputOf(output).column("softmax");
      const p = 1 / (1 + Math.E);
      expect(row).toEqual([near(p), near(1 - p)]);
      fs.rmSync(output);
    }
  });
});

test("the types of results", async () => {
  const table = tableOf("Types");
  expect(table.map(([first]) => first)).toEqual(Object.keys(RESULT_TYPES));
  for (const [first = "", results] of table)
    for (const one of RESULT_TYPES[first] ?? [])
      expect(await run(...prepare(one))).toMatchObject({ dtype: results });
});

test("the labels", async () => {
  expect(tableOf("Labels")).toHaveLength(LABELLED.length);
  const [low, high] = [Math.log1p(1 / Math.E), Math.log1p(Math.E)];
  const entropies = async (one: Case) => {
    const { status, stderr } = await run(...prepare(one));
    expect(status, stderr).toBe(0);
    return outputOf(output).column("cross_entropy");
  };
  for (const one of LABELLED.flat())
    expect(await entropies(one)).toEqual([near(low), near(high)]);
  // Without names, the codes 0 and 1 in the order of first use are the classes.
  const coded = await entropies(labelled(["yes", "no"], codes));
  expect(coded).toEqual([near(high), near(low)]);
});

test("the locations", async () => {
  expect(tableOf("Locations").map(([first]) => first)).toEqual([
    "a file",
    "several files, a directory, a pattern",
    "`s3://bucket/key`",
    "`-`",
  ]);
  fs.mkdirSync(at("logits"));
  for (const name of ["logits/a.arrow", "logits/b.arrow"])
    fs.writeFileSync(at(name), plain);
  for (const args of [
    ["logits/a.arrow", "-o", output],
    ["logits/a.arrow", "logits/b.arrow", "-o", "out/"],
    ["logits", "-o", "out/"],
    ["logits/*.arrow", "-o", "out/"],
  ])
    expect(await run(...args)).toMatchObject({ status: 0 });
});

describe("refused", () => {
  const table = tableOf("What is refused, and what to do");

  test("every row has a test", () => {
    expect(table.map(([first]) => first)).toEqual(Object.keys(REFUSED));
  });

  test.each(table)("%s", async (first, printed = "") => {
    const [, words = "", exit = "65"] =
      /^`(.*)`(?: \((\d\d)\))?$/.exec(printed) ?? [];
    expect(words).not.toBe("");
    for (const one of REFUSED[first as string] ?? []) {
      const args = prepare(one);
      const { status, stderr } = await run(...args);
      let from = 0;
      for (const piece of words.split("…")) {
        const found = stderr.indexOf(piece, from);
        expect(found, `${stderr} has no ${piece}`).toBeGreaterThanOrEqual(from);
        from = found + piece.length;
      }
      expect(status).toBe(Number(exit));
      if (!one.fixedBy) continue;
      const after = await run(...args, ...one.fixedBy.split(" "));
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
  prepare(reading(plain));
  const { status, stderr } = softjac(...args);
  expect(status).toBe(64);
  expect(stderr).toMatch(/^softjac: gs:\/\/ is not supported; .* s3:\/\//);
});

test("a URL that is refused is not printed because it may have a signature", async () => {
  const { stderr } = await run("https://h/x?signature=secret", "-o", output);
  expect(stderr).toMatch("https:// is not supported");
  expect(stderr).not.toMatch("secret");
});

test("softjac inspect of an s3:// location", () => {
  expect(softjac("inspect", "s3://bucket/x")).toMatchObject({
    status: 64,
    stderr:
      "softjac: s3:// is supported by the commands of datasets only (softjac run, plan, submit); download the file first\n",
  });
});

test("the commands of the page run in an empty directory", () => {
  const [, code = ""] = /```sh\n(.*?)```/s.exec(page) ?? [];
  fs.mkdirSync(at("empty"));
  const command = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
  const where = { cwd: at("empty"), encoding: "utf8" } as const;
  const printed = execFileSync("bash", ["-ec", `${command}\n${code}`], where);
  expect(printed).toMatch(/rows +1,000 in 1 batch/);
});
