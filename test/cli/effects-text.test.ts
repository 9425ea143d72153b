import { expect, test } from "vitest";
import { effectsReportText } from "../../src/cli/effects-text.js";
import type {
  EffectRow,
  EffectsReport,
} from "../../src/effects/effects-report.js";

const row = (estimate: number, std_error: number): EffectRow => ({
  ...{ group: {}, effect: "dydx", class: 0, term: "a", estimate, std_error },
  ...{ statistic: estimate / std_error, p_value: 0.5 },
  ...{
    conf_low: estimate - 2 * std_error,
    conf_high: estimate + 2 * std_error,
  },
});

test("numbers that the common decimals would not show are powers of ten", () => {
  const report = {
    ...{ output: null, rows: 9, badRows: 0, classes: 2, terms: ["a"] },
    ...{ covariance: "file", level: 0.95, durationMs: 1000 },
    effects: [row(0.0123, 0.004), row(-3.21e-7, 1.5e-7), row(-1e-9, 0.004)],
  } as unknown as EffectsReport;
  expect(effectsReportText(report).split("\n").slice(0, 4)).toEqual([
    "effect  class  term  estimate  std_error         z       p         95 % interval",
    "dydx        0  a      0.01230    0.00400      3.08  0.5000    0.00430 to 0.02030",
    "dydx        0  a     -3.21e-7    1.50e-7     -2.14  0.5000  -6.21e-7 to -2.10e-8",
    "dydx        0  a     -1.00e-9    0.00400  -2.50e-7  0.5000   -0.00800 to 0.00800",
  ]);
});
