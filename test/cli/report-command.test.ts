import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { DIGITS, softjac, typed } from "./support.js";

const at = workDirectory();
const results = at("results.arrow");
const page = at("page.html");
typed`run ${DIGITS} -o ${results} --keep label,split --report
  ${at("run.json")} --quiet`;
typed`verify ${results} -i ${DIGITS} --report ${at("verify.json")} --quiet`;

test("writes a page and prints a short summary", () => {
  const { status, stdout, stderr } = typed`report ${results} -o ${page}
    --label label`;
  expect(status).toBe(0);
  expect(stdout).toBe("");
  expect(stderr).toMatch(`${page}\n  page         `);
  expect(stderr).toMatch("1,797 rows of 10 classes, bsr");
  expect(stderr).toMatch("319 rows whose 1 - p is 0 in float32");
  expect(stderr).toMatch(/ECE 0\.00338, NLL 0\.01997, Brier score 0\.0\d+/);
  expect(readFileSync(page, "utf8")).toMatch(
    /^<!doctype html>\n<html lang="en">/,
  );
});

test("--json prints the report of the library, which is embedded in the page", async () => {
  const { status, stdout } = typed`report ${results} -o ${page} --force --json
    --classes 7`;
  expect(status).toBe(0);
  const { durationMs: _, peakMemoryBytes: __, ...printed } = JSON.parse(stdout);
  const report = await built.report({
    results,
    output: page,
    force: true,
    classes: 7,
  });
  const { durationMs: ___, peakMemoryBytes: ____, ...own } = report;
  expect(printed).toEqual(own);
  expect(own.outputBytes).toBe(statSync(page).size);
  expect(own.classes.shown.length).toBe(7);
});

test("the log has one line about the page and no tables", () => {
  const { status, stderr } = typed`report ${results} -o ${page} --force
    --log-format json`;
  expect(status).toBe(0);
  const { msg, report } = JSON.parse(stderr);
  expect(msg).toBe("done");
  expect(report).toMatchObject({ status: "done", output: page });
  expect(report.summary.rowsWithResults).toBe(1797);
  expect(stderr.length).toBeLessThan(3000);
});

test("the page includes the report of a verification", () => {
  const { status, stdout } = typed`report ${results} -o ${page} --force --json
    --verify-report ${at("verify.json")}`;
  expect(status).toBe(0);
  const { summary } = JSON.parse(stdout);
  expect(summary.verified).toMatchObject({ ok: true, rowsChecked: 1000 });
  expect(readFileSync(page, "utf8")).toMatch(
    /OK: 1,000 rows recomputed with 31 digits/,
  );
});

test("an existing page is replaced only with --force", () => {
  writeFileSync(at("there.html"), "old");
  const refused = softjac("report", results, "-o", at("there.html"));
  expect(refused).toMatchObject({
    status: 73,
    stderr: `softjac: ${at("there.html")} already exists; use --force to overwrite it\n`,
  });
  expect(readFileSync(at("there.html"), "utf8")).toBe("old");
  expect(softjac("report", results, "-o", results, "--force").status).toBe(64);
  expect(
    softjac("report", results, "-o", at("there.html"), "--force").status,
  ).toBe(0);
});

test("errors exit with 64, 65 and 66, print one line and write no page", () => {
  const out = at("none.html");
  const failing = (...args: string[]) => {
    const { status, stderr } = softjac("report", ...args);
    expect(stderr.trimEnd().split("\n").length).toBe(1);
    return { status, stderr };
  };
  expect(failing(results)).toEqual({
    status: 64,
    stderr:
      'softjac: missing required option -o/--output; run "softjac report --help"\n',
  });
  expect(failing("-o", out)).toEqual({
    status: 64,
    stderr:
      'softjac: missing argument <results>: output of softjac run; run "softjac report --help"\n',
  });
  expect(failing(results, "-o", "-")).toEqual({
    status: 64,
    stderr: "softjac: --output: expected a file name, found -\n",
  });
  expect(failing(results, "-o", out, "--label", "split")).toEqual({
    status: 65,
    stderr: `softjac: ${results}: column split has strings; give the names of the classes, in the order of the logits, with --class-names a,b,c\n`,
  });
  expect(failing(results, "-o", out, "--label", "id")).toEqual({
    status: 64,
    stderr: `softjac: --label: expected a copied column of numbers or names of classes in ${results}, found no id among label: int8, split: utf8\n`,
  });
  expect(failing(results, "-o", out, "--classes", "101").stderr).toMatch(
    "--classes: expected a whole number from 2 to 100, found 101",
  );
  expect(failing(results, "-o", out, "--sample", "9")).toEqual({
    status: 64,
    stderr: "softjac: --sample was removed; softjac show prints any row\n",
  });
  expect(failing(results, "-o", out, "--seed", "9").stderr).toBe(
    "softjac: --seed was removed; the page has no random rows\n",
  );
  expect(failing(at("no.arrow"), "-o", out).status).toBe(66);
  expect(
    failing(results, "-o", out, "--verify-report", at("no.json")).status,
  ).toBe(66);
  expect(
    failing(results, "-o", out, "--verify-report", at("run.json")),
  ).toEqual({
    status: 65,
    stderr: `softjac: ${at("run.json")}: report: not a report of softjac verify: ok, rowsChecked, columns or problems is missing\n`,
  });
  expect(failing(DIGITS, "-o", out)).toEqual({
    status: 65,
    stderr: `softjac: ${DIGITS}: metadata: softjac.layout is missing, so this is not an output of softjac\n`,
  });
  writeFileSync(at("cut.arrow"), readFileSync(results).subarray(0, 90_000));
  expect(failing(at("cut.arrow"), "-o", out).status).toBe(65);
  expect(failing(results, "-o", at("no/folder.html")).status).toBe(74);
  expect(existsSync(out)).toBe(false);
});
