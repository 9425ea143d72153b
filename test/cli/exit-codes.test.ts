import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/execute.js";
import * as errors from "../../src/errors.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { pairsOf } from "../support/pairs-of.js";
import { CLI, DIGITS, softjac, typed } from "./support.js";

const at = workDirectory();
const out = at("out.arrow");
const page = at("page.html");
const nan = at("nan.arrow");
const logit = (r: number) => (r === 1 ? Number.NaN : 0);
writeLogits(nan, { rows: 2, classes: 2, logit });
const taken = at("taken.arrow");
fs.writeFileSync(taken, "");
const cut = at("cut.arrow");
fs.writeFileSync(cut, "ARROW1\0\0");
const ragged = at("ragged.arrow");
const parquet = new URL("../input/parquet/ragged.arrow", import.meta.url);
fs.copyFileSync(fileURLToPath(parquet), ragged);
const results = at("results.arrow");
const state = at("run.json");
typed`run ${DIGITS} -o ${results} --keep label,split --report ${state} --quiet`;
const none = at("none");

/** Command lines that fail, each followed by its exit code and message. */
const TRANSCRIPT = `
softjac rnu
64 unknown command "rnu"; did you mean run?
softjac foo run ${DIGITS}
64 unknown command "foo"; run "softjac --help" for the list
softjac help rnu
64 unknown command "rnu"; did you mean run?
softjac foo --help
64 unknown command "foo"; run "softjac --help" for the list
softjac run a -o b --treshold 1
64 unknown option --treshold for "softjac run"; did you mean --threshold?
softjac show a --foo --bar
64 unknown options --foo, --bar for "softjac show"; run "softjac show --help --all" for the list
softjac status a --no-sync
64 unknown option --no-sync for "softjac status"; run "softjac status --help --all" for the list
softjac run a -o b --no-synk
64 unknown option --no-synk for "softjac run"; did you mean --no-sync?
softjac generate x --rows 1 --classes 5 --dry-run
64 unknown option --dry-run for "softjac generate"; run "softjac generate --help --all" for the list
softjac run a -o b --status-file c
64 --status-file was removed; use --metrics FILE, --log-format json or softjac status
softjac run a -o b --no-tensor-type
64 --tensor-type was removed; the jacobian column is always marked as a tensor
softjac report ${results} -o ${page} --sample 9
64 --sample was removed; softjac show prints any row
softjac run a -o
64 option -o needs a value
softjac run a -o --force
64 option -o needs a value
softjac run a -o b -o c
64 --output is given twice; give it once
softjac run a -o b --force=yes
64 --force takes no value
softjac run a -o b --layout bsx
64 --layout: expected one of bsr, packed, csr, coo, factored, dense, found "bsx"; did you mean bsr?
softjac generate a --rows 1 --classes 2 --kind flat
64 --kind: expected one of notebook, normal, peaked, found "flat"
softjac run a -o b --threads 1000
64 --threads: expected a whole number from 1 to 256, found 1000
softjac generate x --rows 1e3 --classes 5
64 --rows: expected a whole number, found "1e3"
softjac show x --row 1 --position x
64 --position: expected numbers and ranges as in 3,7-9, found "x"
softjac show x --row 1 --position 3-1
64 --position: expected numbers and ranges as in 3,7-9, found "3-1"
softjac show x --row 1 --position 1,,2
64 --position: expected numbers and ranges as in 3,7-9, found "1,,2"
softjac run -o ${out}
64 missing argument <inputs>: input file; run "softjac run --help"
softjac run a
64 missing required option -o/--output; run "softjac run --help"
softjac show a b --row 1
64 unexpected argument "b"; softjac show takes one output file or directory
softjac worker x
64 unexpected argument "x"; softjac worker takes options only
softjac verify ${results} -i ${DIGITS} --all --sample 3
64 --sample, --all: give only one of them
softjac wait a --queue redis://:hunter2@localhost
64 --queue contains a password, which other users of this machine can read; set SOFTJAC_QUEUE_PASSWORD, or the whole URL in SOFTJAC_QUEUE, instead
softjac worker --queue redis://:hunter2@localhost
64 --queue contains a password, which other users of this machine can read; set SOFTJAC_QUEUE_PASSWORD, or the whole URL in SOFTJAC_QUEUE, instead
softjac submit a -o b --queue redis://:hunter2@localhost
64 --queue contains a password, which other users of this machine can read; set SOFTJAC_QUEUE_PASSWORD, or the whole URL in SOFTJAC_QUEUE, instead
softjac report ${results} -o -
64 --output: expected a file name, found -
softjac report ${results} -o ${page} --label id
64 --label: expected a copied column of numbers or names of classes in ${results}, found no id among label: int8, split: utf8
softjac report ${results} -o ${page} --label topK
64 --label: expected a copied column of numbers or names of classes in ${results}, found no topK among label: int8, split: utf8
softjac run ${DIGITS} -o ${at("topK.csv")}
64 ${at("topK.csv")}: softjac writes Arrow files; use a name that ends in .arrow
softjac report ${results} -o ${page} --label split
65 ${results}: column split has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c
softjac report ${results} -o ${page} --verify-report ${state}
64 --verify-report was removed; softjac verify prints the errors, and --report writes them to a file
softjac report ${DIGITS} -o ${page}
65 ${DIGITS}: metadata: softjac.layout is missing, so this is not an output of softjac
softjac run ${DIGITS} -o ${out} --keep nope
65 ${DIGITS}: --keep nope: no such column; the file has id: int32, label: int8, split: utf8, logits: fixed_size_list<float32>[10]
softjac run ${nan} -o ${out}
65 ${nan}: row 1: expected finite logits or -inf for masked classes, found NaN in class 0 (--on-bad-row null keeps the row as null, skip drops it)
softjac run ${cut} -o ${out}
65 ${cut}: footer: expected at least 18 bytes, found 8: the file is truncated
softjac run ${ragged} -o ${out}
65 ${ragged}: column logits, row 41: expected 4 values as in the first row, found 3; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask
softjac run ${none} -o ${out}
66 ${none}: no such file or directory
softjac run ${DIGITS} more -o ${out}
66 more: no such file or directory
softjac inspect run
66 run: no such file or directory
softjac run ${DIGITS} -o ${taken}
73 ${taken} already exists; use --force to overwrite it
softjac run ${DIGITS} -o ${none}/x
64 --output: ${none}/x: its directory does not exist; create it first
softjac report ${results} -o ${none}/x/page.html
64 --output: ${none}/x/page.html: its directory does not exist; create it first
softjac run ${DIGITS} -o ${taken}/x
64 --output: ${taken}/x: ${taken} is not a directory; choose another path
`;

test.each(pairsOf(TRANSCRIPT))("%s: %s", (line, answer) => {
  const { status, stdout, stderr } = softjac(...line.split(" ").slice(1));
  const [code, ...words] = answer.split(" ");
  const message = `softjac: ${words.join(" ")}\n`;
  expect([stdout, withoutNote(stderr)]).toEqual(["", message]);
  expect(status).toBe(Number(code));
  expect([out, page].filter((path) => fs.existsSync(path))).toEqual([]);
  expect(fs.readFileSync(taken, "utf8")).toBe("");
});

/** Removes the line that names the logits. */
function withoutNote(stderr: string): string {
  return stderr.replace(/^softjac: reading logits from .*\n/, "");
}

test.each([none, cut])("TMPDIR is no directory: %s", (TMPDIR) => {
  const env = { ...process.env, TMPDIR };
  const input = fs.readFileSync(DIGITS);
  const options = { encoding: "utf8", env, input } as const;
  const line = [CLI, "inspect", "-"];
  const { status, stderr } = spawnSync(process.execPath, line, options);
  expect(stderr).toBe(
    `softjac: TMPDIR: no temporary file can be created in ${TMPDIR}; set it to a directory that exists\n`,
  );
  expect(status).toBe(78);
});

test("permission denied for an input, a directory and an output", () => {
  const [secret, folder, closed] = [at("secret"), at("folder"), at("closed")];
  const inner = join(folder, "closed");
  const made = join(closed, "out.arrow");
  fs.writeFileSync(secret, "");
  fs.chmodSync(secret, 0);
  fs.mkdirSync(inner, { recursive: true });
  fs.writeFileSync(join(folder, "sound.arrow"), "");
  fs.chmodSync(inner, 0);
  fs.mkdirSync(closed);
  fs.chmodSync(closed, 0o555);
  fs.chmodSync(dirname(secret), 0o755);
  for (const [line, message] of [
    [`run ${secret} -o ${out}`, `${secret}: permission denied`],
    [`inspect ${secret}`, `${secret}: permission denied`],
    [
      `run ${folder} -o ${at("dataset")} --keep-going`,
      `${inner}: permission denied`,
    ],
    [`run ${DIGITS} -o ${made}`, `${made}: could not be created: EACCES`],
  ] as const) {
    const words = [CLI, ...line.split(" ")];
    // Root may read everything, so the command runs as nobody.
    const { status, stderr } = spawnSync(process.execPath, words, {
      encoding: "utf8",
      ...(process.getuid?.() === 0 && { uid: 65534, gid: 65534 }),
    });
    expect(withoutNote(stderr)).toBe(`softjac: ${message}\n`);
    expect(status).toBe(77);
  }
});

const bad = { expected: "x", found: "y" };
/** An error of every class, by exit code. */
const CLASSES: Record<number, errors.SoftjacError[]> = {
  64: [new errors.UsageError("x")],
  65: [
    new errors.InputChangedError("p", "x"),
    new errors.DatasetDamagedError("p", [], 1),
    new errors.InputFormatError("p", "w", "x"),
    new errors.InputUnsupportedError("p", "w", "x"),
    new errors.LogitsColumnError("p", "x"),
    new errors.BadRowError("p", 1, bad, "z"),
    new errors.RaggedRowError("p", "c", 1, 2, 3),
    new errors.RowMissingError("p", 1, "x"),
    new errors.InputsSkippedError("p", [], 1),
    new errors.ShardsFailedError("p", [], 1, true),
  ],
  66: [new errors.InputMissingError("p"), new errors.PlanMissingError("p")],
  69: [new errors.ServiceUnavailableError("p", "x")],
  70: [
    new errors.AbortedError(),
    new errors.OutputClosedError("p"),
    new errors.InternalError("x"),
    new errors.WorkerError("x"),
  ],
  73: [new errors.OutputExistsError("p", "a file")],
  74: [new errors.IoError("p", "x")],
  75: [
    new errors.StoppedError(1, 2),
    new errors.StalledError("x"),
    new errors.IncompleteError("p", [0], 1),
    new errors.ShardsFailedError("p", [], 1, false),
  ],
  77: [new errors.PermissionError("p", "x")],
  78: [new errors.ConfigurationError("x")],
};

test.each(Object.entries(CLASSES))("errors with exit code %s", (exit, made) => {
  for (const error of made)
    expect(exitCodeOf(error, null), error.name).toBe(Number(exit));
});

test("every error class has an exit code; a signal gives its own", () => {
  const names = Object.keys(errors).filter((name) =>
    /^[A-Z].*Error$/.test(name),
  );
  const known = Object.values(CLASSES)
    .flat()
    .map((e) => e.constructor.name);
  expect(new Set(["SoftjacError", ...known])).toEqual(new Set(names));
  expect(exitCodeOf(new errors.AbortedError(), "SIGTERM")).toBe(143);
});

test("--json prints the report with the error on failure", () => {
  const { status, stdout, stderr } = typed`run ${nan} -o ${out} --json`;
  expect(status, stderr).toBe(65);
  expect(JSON.parse(stdout)).toMatchObject({
    ...{ status: "failed", rows: 2 },
    error: { code: "ERR_BAD_ROW", exitCode: 65 },
  });
});
