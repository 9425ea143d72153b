import { readFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";

/** What the report should say, worked out from whole rows by other means: sorted sums, searched edges, all at once. */
export interface Independent {
  rows: number;
  meanUncertainty: number;
  meanConfidence: number;
  meanEntropy: number;
  lostFloat32: number;
  lostFloat64: number;
  /** `[Q, Q]`: mean |J|, of blocks made from p. */
  meanJacobian: number[][];
  /** `[Q, Q]`: number of rows by label and prediction. */
  confusion: number[][];
  accuracy: number;
  ece: number;
  nll: number;
  brier: number;
}

/** Rows of a file that has softmax, as apache-arrow reads it; null rows left out. */
export function readP(path: string, label?: string): Row[] {
  const table = tableFromIPC(readFileSync(path));
  const p = table.getChild("softmax");
  const labels = label === undefined ? null : table.getChild(label);
  const rows: Row[] = [];
  for (let r = 0; r < table.numRows; r++) {
    const own = p?.get(r);
    if (own === null || own === undefined) continue;
    rows.push({ p: [...own].map(Number), label: Number(labels?.get(r) ?? -1) });
  }
  return rows;
}

export interface Row {
  p: number[];
  label: number;
}

export function independent(rows: Row[], T = 1): Independent {
  const sure = rows.map(sureOf);
  return {
    rows: rows.length,
    meanUncertainty: mean(sure.map(({ uncertainty }) => uncertainty)),
    meanConfidence: mean(sure.map(({ confidence }) => confidence)),
    meanEntropy: mean(
      rows.map(({ p }, r) => {
        const { winner, uncertainty } = sure[r] as Sure;
        const terms = p.map((x, k) =>
          x === 0
            ? 0
            : -x * (k === winner ? Math.log1p(-uncertainty) : Math.log(x)),
        );
        return terms.sort((a, b) => a - b).reduce((sum, x) => sum + x, 0);
      }),
    ),
    // 1 - uncertainty, rounded, is 1: as that type sees it.
    lostFloat32: sure.filter(
      ({ uncertainty }) =>
        uncertainty > 0 && Math.fround(1 - uncertainty) === 1,
    ).length,
    lostFloat64: sure.filter(
      ({ uncertainty }) => uncertainty > 0 && 1 - uncertainty === 1,
    ).length,
    meanJacobian: meanBlock(rows, sure, T),
    confusion: confusionOf(rows, sure),
    ...scoresOf(rows),
  };
}

interface Sure {
  winner: number;
  uncertainty: number;
  confidence: number;
}

function sureOf({ p }: Row): Sure {
  const winner = p.indexOf(Math.max(...p));
  const others = p.filter((_, k) => k !== winner).sort((a, b) => a - b);
  const uncertainty = others.reduce((sum, x) => sum + x, 0);
  return { winner, uncertainty, confidence: p[winner] as number };
}

function mean(values: number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}

/** How well the rows that have a label are predicted. */
function scoresOf(
  rows: Row[],
): Pick<Independent, "accuracy" | "ece" | "nll" | "brier"> {
  const labelled = rows
    .filter(({ label }) => label >= 0)
    .map((row) => ({ ...row, ...sureOf(row) }));
  const rated = labelled.map(({ winner, label, confidence }) => ({
    confidence,
    isRight: winner === label,
  }));
  return {
    accuracy: mean(rated.map(({ isRight }) => Number(isRight))),
    ece: eceOf(rated),
    nll: mean(
      labelled
        .filter(({ p, label }) => p[label] !== 0)
        .map(({ p, label, winner, uncertainty }) =>
          winner === label
            ? -Math.log1p(-uncertainty)
            : -Math.log(p[label] as number),
        ),
    ),
    brier: mean(
      labelled.map(({ p, label }) =>
        p.reduce((sum, x, k) => sum + (x - Number(k === label)) ** 2, 0),
      ),
    ),
  };
}

function confusionOf(rows: Row[], sure: Sure[]): number[][] {
  const all = (rows[0]?.p ?? []).map((_, k) => k);
  return all.map((label) =>
    all.map(
      (predicted) =>
        rows.filter(
          (row, r) => row.label === label && sure[r]?.winner === predicted,
        ).length,
    ),
  );
}

function meanBlock(rows: Row[], sure: Sure[], T: number): number[][] {
  const Q = rows[0]?.p.length ?? 0;
  return Array.from({ length: Q }, (_, i) =>
    Array.from({ length: Q }, (_, j) => {
      let sum = 0;
      rows.forEach(({ p }, r) => {
        const own = p[i] as number;
        const { winner, uncertainty } = sure[r] as Sure;
        if (i !== j) sum += own * (p[j] as number);
        else sum += own * (i === winner ? uncertainty : 1 - own);
      });
      return sum / rows.length / T;
    }),
  );
}

/** Each bin by comparing with its edges, as the paper's own code does. */
export function eceOf(
  rows: { confidence: number; isRight: boolean }[],
  bins = 15,
): number {
  let ece = 0;
  for (let k = 0; k < bins; k++) {
    const own = rows.filter(
      ({ confidence }) => confidence > k / bins && confidence <= (k + 1) / bins,
    );
    if (own.length === 0) continue;
    const accuracy = own.filter(({ isRight }) => isRight).length / own.length;
    const confidence =
      own.reduce((sum, row) => sum + row.confidence, 0) / own.length;
    ece += (own.length / rows.length) * Math.abs(accuracy - confidence);
  }
  return ece;
}
