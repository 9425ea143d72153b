import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/execute.js";
import * as errors from "../../src/errors.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { CLI, DIGITS, softjac } from "./support.js";

const at = workDirectory();
const out = at("out.arrow");

const nan = at("nan.arrow");
writeLogits(nan, {
  rows: 2,
  classes: 2,
  logit: (r) => (r === 1 ? Number.NaN : 0),
});
const taken = at("taken.arrow");
writeFileSync(taken, "");
const cut = at("cut.arrow");
writeFileSync(cut, "ARROW1\0\0");

/** Command lines and their messages by exit code; help.test.ts has invalid command lines. */
const REFUSED: Record<number, Record<string, string>> = {
  64: {
    [`run -o ${out}`]:
      'missing argument <inputs>: input file; run "softjac run --help"',
    [`run ${DIGITS} -o ${out} --threads 2x`]:
      '--threads: expected a whole number, found "2x"',
    [`run ${DIGITS} -o ${out} --threads 1000`]:
      "--threads: expected a whole number from 1 to 256, found 1000",
  },
  65: {
    [`run ${DIGITS} -o ${out} --keep nope`]: `${DIGITS}: --keep nope: no such column; the file has id: int32, label: int8, split: utf8, logits: fixed_size_list<float32>[10]`,
    [`run ${nan} -o ${out}`]: `${nan}: row 1: expected finite logits or -inf for masked classes, found NaN in class 0 (--on-bad-row null keeps the row as null, skip drops it)`,
    [`run ${cut} -o ${out}`]: `${cut}: footer: expected at least 18 bytes, found 8: the file is truncated`,
  },
  66: {
    [`run ${DIGITS} more -o ${out}`]: "more: no such file or directory",
    [`run ${at("none")} -o ${out}`]: `${at("none")}: no such file or directory`,
  },
  73: {
    [`run ${DIGITS} -o ${taken}`]: `${taken} already exists; use --force to overwrite it`,
  },
  74: {
    [`run ${DIGITS} -o ${at("no/where.arrow")}`]: `${at("no/where.arrow")}: its directory could not be examined: ENOENT, its directory does not exist`,
  },
};

describe.each(Object.entries(REFUSED))("%s", (exit, lines) => {
  test.each(Object.entries(lines))("%s", (line, message) => {
    const { status, stdout, stderr } = softjac(...line.split(" "));
    expect(withoutNote(stderr)).toBe(`softjac: ${message}\n`);
    expect(stdout).toBe("");
    expect(status).toBe(Number(exit));
  });
});

test("permission denied for an input, a directory and an output", () => {
  const secret = at("secret.arrow");
  writeFileSync(secret, "");
  chmodSync(secret, 0);
  const folder = at("folder");
  mkdirSync(join(folder, "closed"), { recursive: true });
  writeFileSync(join(folder, "sound.arrow"), "");
  chmodSync(join(folder, "closed"), 0);
  const closed = at("closed");
  mkdirSync(closed);
  chmodSync(closed, 0o555);
  chmodSync(dirname(secret), 0o755);
  const cases: [args: string[], message: string][] = [
    [["run", secret, "-o", out], `${secret}: permission denied`],
    [["inspect", secret], `${secret}: permission denied`],
    [
      ["run", folder, "-o", at("dataset"), "--keep-going"],
      `${join(folder, "closed")}: permission denied`,
    ],
    [
      ["run", DIGITS, "-o", join(closed, "out.arrow")],
      `${join(closed, "out.arrow")}: could not be created: EACCES`,
    ],
  ];
  for (const [args, message] of cases) {
    // Root may read everything, so the command runs as nobody.
    const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], {
      encoding: "utf8",
      ...(process.getuid?.() === 0 && { uid: 65534, gid: 65534 }),
    });
    expect(withoutNote(stderr)).toBe(`softjac: ${message}\n`);
    expect(status).toBe(77);
  }
});

/** Removes the line that names the logits. */
function withoutNote(stderr: string): string {
  return stderr.replace(/^softjac: reading logits from .*\n/, "");
}

/** An error of every class with its exit code. */
const CLASSES: [name: keyof typeof errors, made: Error, exit: number][] = [
  ["UsageError", new errors.UsageError("x"), 64],
  ["InputMissingError", new errors.InputMissingError("p"), 66],
  ["InputChangedError", new errors.InputChangedError("p", "x"), 65],
  ["DatasetDamagedError", new errors.DatasetDamagedError("p", [], 1), 65],
  ["InputFormatError", new errors.InputFormatError("p", "w", "x"), 65],
  [
    "InputUnsupportedError",
    new errors.InputUnsupportedError("p", "w", "x"),
    65,
  ],
  ["LogitsColumnError", new errors.LogitsColumnError("p", "x"), 65],
  [
    "BadRowError",
    new errors.BadRowError("p", 1, { expected: "x", found: "y" }, "z"),
    65,
  ],
  ["RaggedRowError", new errors.RaggedRowError("p", "c", 1, 2, 3), 65],
  ["RowMissingError", new errors.RowMissingError("p", 1, "x"), 65],
  ["OutputExistsError", new errors.OutputExistsError("p", "a file"), 73],
  ["IoError", new errors.IoError("p", "x"), 74],
  ["PermissionError", new errors.PermissionError("p", "x"), 77],
  ["AbortedError", new errors.AbortedError(), 70],
  ["StoppedError", new errors.StoppedError(1, 2), 75],
  ["StalledError", new errors.StalledError("x"), 75],
  ["InputsSkippedError", new errors.InputsSkippedError("p", [], 1), 65],
  ["IncompleteError", new errors.IncompleteError("p", [0], 1), 75],
  ["PlanMissingError", new errors.PlanMissingError("p"), 66],
  ["ShardsFailedError", new errors.ShardsFailedError("p", [], 1, true), 65],
  ["ServiceUnavailableError", new errors.ServiceUnavailableError("p", "x"), 69],
  ["ConfigurationError", new errors.ConfigurationError("x"), 78],
  ["OutputClosedError", new errors.OutputClosedError("p"), 70],
  ["InternalError", new errors.InternalError("x"), 70],
  ["WorkerError", new errors.WorkerError("x"), 70],
];

test.each(CLASSES)("%s has its exit code", (name, made, exit) => {
  expect(made.constructor.name).toBe(name);
  expect(exitCodeOf(made, null)).toBe(exit);
});

test("every error class has an exit code", () => {
  const names = Object.keys(errors).filter((name) =>
    /^[A-Z]\w*Error$/.test(name),
  );
  const known = ["SoftjacError", ...CLASSES.map(([name]) => name)];
  expect(names.sort()).toEqual(known.sort());
  const stopped = new errors.AbortedError();
  expect(exitCodeOf(stopped, "SIGTERM")).toBe(143);
  const failed = new errors.ShardsFailedError("p", [], 1, false);
  expect(exitCodeOf(failed, null)).toBe(75);
});

test("a ragged row ends the command with 65", () => {
  const ragged = at("ragged.arrow");
  copyFileSync(
    fileURLToPath(new URL("../input/parquet/ragged.arrow", import.meta.url)),
    ragged,
  );
  const { status, stderr } = softjac("run", ragged, "-o", out);
  expect(withoutNote(stderr)).toBe(
    `softjac: ${ragged}: column logits, row 41: expected 4 values as in the first row, found 3; pad the lists to one length: --pad masks the classes that a row of logits lacks, as do nulls with --null-logit mask\n`,
  );
  expect(status).toBe(65);
});

test("--json prints the report with the error on failure", () => {
  const { status, stdout } = softjac("run", nan, "-o", out, "--json");
  expect(status).toBe(65);
  expect(JSON.parse(stdout)).toMatchObject({
    status: "failed",
    rows: 2,
    error: { code: "ERR_BAD_ROW", exitCode: 65 },
  });
});
