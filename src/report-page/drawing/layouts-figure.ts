import { bytes, count } from "../../number-text.js";
import type { OutputReport, SparsityNumbers } from "../output-report.js";
import { digits, logTicks } from "./figures.js";
import { type Html, html } from "./html.js";
import { figure, table } from "./parts.js";
import { Plot, picture } from "./plot.js";
import { fromRows, TAU } from "./sparsity-parts.js";

/** Bytes of outputs in each layout: the picture that chooses one. */
export function layoutsFigure(
  sparsity: SparsityNumbers,
  summary: OutputReport["summary"],
): Html {
  const { curve } = sparsity;
  const lines = (["csr", "coo"] as const).flatMap((layout) =>
    curve.flatMap((point) => {
      const weight = point[`${layout}Bytes`];
      return weight
        ? [{ layout, threshold: point.threshold, bytes: weight }]
        : [];
    }),
  );
  const weights = sparsity.layouts.flatMap(({ layout, bytes: weight }) =>
    weight && layout !== "dense" ? [{ layout, bytes: weight }] : [],
  );
  return figure({
    id: "layouts",
    title: "Size of each layout",
    wide: true,
    caption: html`Size of an output of all ${count(summary.rows)} rows in ${summary.dtype}, with the default results of the layout and without copied columns; ${curve.length > 0 ? `csr and coo by threshold, from ${fromRows(sparsity)}` : "the size of csr and coo depends on p"}. This output is ${summary.layout} and takes ${bytes(summary.bytes)} with all its columns. dense is not shown: ${denseText(sparsity)}.`,
    picture:
      lines.length > 0 ? curvesPicture(lines, weights) : barsPicture(weights),
    table: html`${table(
      "Size of layouts in bytes",
      ["layout", "bytes"],
      sparsity.layouts.map(({ layout, bytes: weight, note }) => [
        layout,
        weight === null
          ? (note ?? "–")
          : `${count(weight)}${note ? ` (${note})` : ""}`,
      ]),
    )}${table(
      "Size of csr and coo in bytes, by threshold",
      ["τ", "csr", "coo"],
      curve.map((point) => [
        digits(point.threshold),
        point.csrBytes === null ? "–" : count(point.csrBytes),
        point.cooBytes === null ? "–" : count(point.cooBytes),
      ]),
    )}`,
  });
}

interface Weight {
  layout: string;
  bytes: number;
}

function curvesPicture(
  lines: readonly (Weight & { threshold: number })[],
  weights: readonly Weight[],
): Html {
  const first = Math.min(...lines.map(({ threshold }) => threshold));
  const ends = lines
    .filter(({ threshold }) => threshold === first)
    .sort((a, b) => b.bytes - a.bytes);
  return picture("Size of each layout by threshold", {
    width: 1140,
    marginLeft: 84,
    marginRight: 96,
    x: { ...TAU, domain: [1e-16, 1], ticks: 16 },
    y: {
      type: "log",
      label: "↑ bytes",
      grid: true,
      ticks: logTicks([...lines, ...weights].map((weight) => weight.bytes)),
      tickFormat: bytes,
    },
    color: { type: "identity" },
    marks: [
      Plot.ruleY(weights, {
        y: "bytes",
        stroke: "var(--muted)",
        strokeDasharray: "5,3",
      }),
      Plot.text(spread(weights), {
        x: 1,
        y: "at",
        text: "layout",
        textAnchor: "start",
        dx: 6,
      }),
      Plot.line(lines, {
        x: "threshold",
        y: "bytes",
        z: "layout",
        stroke: colorOf,
        strokeWidth: 2,
      }),
      Plot.dot(lines, { x: "threshold", y: "bytes", r: 3, fill: colorOf }),
      // The heavier one's name above its line, the other's below.
      ...ends.map((end, k) =>
        Plot.text([end], {
          x: "threshold",
          y: "bytes",
          text: "layout",
          dy: k === 0 ? -14 : 14,
          dx: 4,
          textAnchor: "start",
          fontWeight: 600,
          fill: colorOf,
          stroke: "var(--paper)",
          strokeWidth: 4,
        }),
      ),
    ],
  });
}

function barsPicture(weights: readonly Weight[]): Html {
  return picture("Size of each layout", {
    width: 1140,
    height: 190,
    marginLeft: 84,
    marginRight: 96,
    x: {
      label: "bytes →",
      grid: true,
      tickFormat: bytes,
      ticks: 6,
      nice: true,
    },
    y: { label: null },
    marks: [
      Plot.barX(weights, {
        x: "bytes",
        y: "layout",
        fill: "var(--bar)",
        inset: 2,
      }),
      Plot.text(weights, {
        x: "bytes",
        y: "layout",
        text: (weight: Weight) => bytes(weight.bytes),
        textAnchor: "start",
        dx: 6,
      }),
      Plot.ruleX([0]),
    ],
  });
}

function colorOf({ layout }: { layout: string }): string {
  return layout === "csr" ? "var(--bar)" : "var(--accent)";
}

function denseText({ layouts }: SparsityNumbers): string {
  const dense = layouts.find(({ layout }) => layout === "dense");
  return dense && dense.bytes !== null
    ? `it would take ${bytes(dense.bytes)}`
    : "it cannot be written for this many rows";
}

/** Labels at least a seventh of a decade from each other. */
function spread<Line extends { bytes: number }>(
  lines: readonly Line[],
): (Line & { at: number })[] {
  let before = 0;
  return [...lines]
    .sort((a, b) => a.bytes - b.bytes)
    .map((line) => {
      const at = Math.max(line.bytes, before * 1.4);
      before = at;
      return { ...line, at };
    });
}
