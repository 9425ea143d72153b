import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { EffectRow, EffectsOptions } from "../../src/index.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { sharedFolder } from "../support/machine.js";
import { largestDifference, readOutput } from "../support/sums-files.js";

const folder = sharedFolder("effects");

// statsmodels' figures for its own data, through the library; see README of ../shared/data/effects.

const at = workDirectory();
const LIMIT = 1e-10;
const found: Record<string, string> = {};
afterAll(() => console.log("relative differences from statsmodels:", found));

/** One column per class and effect, as statsmodels computed them. */
interface Expected {
  llf: number;
  params: number[][];
  row_std_error_first5: number[][];
  bse: number[][];
  bse_robust_HC0: number[][];
  effects: Record<string, ExpectedEffect> & {
    "dydx by": Record<string, Record<string, ExpectedEffect>>;
    contrast?: Record<string, ExpectedEffect>;
  };
}

interface ExpectedEffect {
  /** [class, term without the constant], or [class] for probabilities and contrasts. */
  estimate: number[][] | number[];
  std_error: number[][] | number[];
}

type Nested = number[] | number[][];

/** Checks estimates and standard errors, by class and then by term. */
function check(title: string, rows: EffectRow[], expected: ExpectedEffect) {
  const differences = [
    largestDifference(
      rows.map(({ estimate }) => estimate),
      (expected.estimate as Nested).flat(),
    ),
    largestDifference(
      rows.map(({ std_error }) => std_error as number),
      (expected.std_error as Nested).flat(),
    ),
  ];
  found[title] = differences.map((d) => d.toExponential(1)).join(", ");
  expect(Math.max(...differences), title).toBeLessThan(LIMIT);
}

const MODELS = [
  ["anes96", "logpopul,selfLR,age,educ,income", ["vote", "decade"]],
  [
    "fair",
    "age,yrs_married,religious,educ,parent,sqrt_affairs",
    ["occupation"],
  ],
] as const;

describe.skipIf(!folder || !existsSync(folder))("statsmodels", () => {
  describe.each(MODELS)("%s", (name, features, groups) => {
    const path = (ending: string) => join(folder ?? "", `${name}.${ending}`);
    const expected: Expected = folder
      ? JSON.parse(readFileSync(path("expected.json"), "utf8"))
      : { effects: {} };
    const common = {
      inputs: [path("parquet")],
      features,
      intercept: true,
      coefficients: path("B.npy"),
    };
    const effects = (options: Partial<EffectsOptions>) =>
      built.effects({ ...common, ...options });
    const of = (rows: EffectRow[], effect: string) =>
      rows.filter((row) => row.effect === effect);

    test("standard errors of predictions of single rows", async () => {
      const output = at(`${name} rows.arrow`);
      await built.run({
        ...{ features, intercept: true, coefficients: path("B.npy") },
        ...{ input: path("parquet"), output },
        ...{ covarianceFile: path("V.npy"), emit: ["std_error"] },
      });
      const rows = readOutput(output).columns.std_error as number[][];
      const first = expected.row_std_error_first5;
      const difference = largestDifference(
        rows.slice(0, first.length).flat(),
        first.flat(),
      );
      found[`${name} rows`] = difference.toExponential(1);
      expect(difference).toBeLessThan(LIMIT);
    });

    test("effects with the Fisher information and with a file, and the distance to the maximum", async () => {
      const kinds = ["dydx", "probability", "eydx", "dyex", "eyex"] as const;
      for (const options of [
        { label: "label" },
        { covarianceFile: path("V.npy") },
      ]) {
        const report = await effects({ of: kinds, ...options });
        const isFile = "covarianceFile" in options;
        expect(report.covariance).toBe(isFile ? "file" : "fisher");
        for (const kind of kinds)
          check(
            `${name} ${kind} ${report.covariance}`,
            of(report.effects, kind),
            expected.effects[kind] as ExpectedEffect,
          );
        if (isFile) expect(report.newtonDecrement).toBeNull();
        else expect(report.newtonDecrement).toBeLessThan(1e-20);
      }
    });

    test("coefficients, with robust errors too", async () => {
      // statsmodels' tables are features × classes.
      const byClass = (table: number[][]) =>
        (table[0] as number[]).flatMap((_, c) =>
          table.map((row) => row[c] ?? 0),
        );
      for (const [covariance, bse] of [
        ["fisher", expected.bse],
        ["robust", expected.bse_robust_HC0],
      ] as const) {
        const report = await effects({
          ...{ of: ["coefficients"], covariance, label: "label" },
        });
        expect(report.effects[0]).toMatchObject({
          ...{ effect: "coefficient", class: 1, term: "(intercept)" },
        });
        check(`${name} coefficients ${covariance}`, report.effects, {
          estimate: byClass(expected.params),
          std_error: byClass(bse),
        });
      }
    });

    test("at the mean, weighted, and contrasts", async () => {
      const atMean = await effects({ at: "mean" });
      const { "dydx at mean": mean, "dydx weighted by w": weighted } =
        expected.effects;
      check(`${name} at mean`, atMean.effects, mean as ExpectedEffect);
      const { effects: rows } = await effects({
        ...{ weight: "w", covarianceFile: path("V.npy") },
      });
      check(`${name} weighted`, rows, weighted as ExpectedEffect);
      const contrasts = Object.entries(expected.effects.contrast ?? {});
      for (const [term, contrast] of contrasts) {
        // Another contrast before it changes nothing.
        const report = await effects({ contrast: ["age", term] });
        const own = of(report.effects, "contrast 0:1");
        check(
          `${name} contrast ${term}`,
          own.filter((row) => row.term === term),
          contrast,
        );
      }
    });

    test("by group, in an output file too", async () => {
      for (const by of groups) {
        const output = at(`${name} ${by}.arrow`);
        const report = await effects({ by: [by], output, label: "label" });
        expect(report.newtonDecrement).toBeLessThan(1e-20);
        const expectedGroups = Object.entries(
          expected.effects["dydx by"][by] ?? {},
        );
        expect(report.groups).toBe(expectedGroups.length);
        for (const [key, group] of expectedGroups)
          check(
            `${name} by ${by} ${key}`,
            report.effects.filter((row) => `${row.group[by]}` === key),
            group,
          );
        const { columns } = readOutput(output);
        expect(columns.estimate).toEqual(
          report.effects.map(({ estimate }) => estimate),
        );
        expect(columns[by]?.map(String)).toEqual(
          report.effects.map(({ group }) => `${group[by]}`),
        );
      }
    });

    test("the log-likelihood, a score near 0, and the information of the fit", async () => {
      const output = at(`${name} sums.arrow`);
      await built.reduce({
        ...{ ...common, output, label: "label" },
        emit: ["loglik", "score", "fisher_diagonal", "accuracy"],
      });
      const { columns } = readOutput(output);
      const [loglik] = columns.loglik as number[];
      const d = largestDifference([loglik as number], [expected.llf]);
      found[`${name} llf`] = d.toExponential(1);
      expect(d).toBeLessThan(1e-14);
      const [score] = columns.score as number[][];
      const [diagonal] = columns.fisher_diagonal as number[][];
      // A coefficient alone is this many of its standard errors, at most, from its maximum.
      const steps = (score as number[]).map(
        (s, k) => Math.abs(s) / Math.sqrt(diagonal?.[k] as number),
      );
      found[`${name} score`] = Math.max(...steps).toExponential(1);
      expect(Math.max(...steps)).toBeLessThan(1e-9);
    });
  });
});
