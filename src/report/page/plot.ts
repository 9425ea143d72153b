import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { count } from "../../format-number.js";
import {
  axisCount,
  digits,
  type FigureSpec,
  figure,
  Html,
  table,
} from "./html.js";

export { Plot };

const { document } = parseHTML("<!doctype html><html><body></body></html>");
const WIDTH = 560;
/** Width of two figures and the gap between them. */
const WIDE = 1140;
const HEIGHT = 300;

/**
 * Draws an SVG picture. Colors are variables of page.css, such as `var(--bar)`, with light and dark values.
 * @param label description for screen readers
 */
export function picture(label: string, options: Plot.PlotOptions): Html {
  const { style, ...others } = options;
  const drawn = Plot.plot({
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 64,
    marginBottom: 44,
    marginTop: 28,
    ...others,
    document,
    className: "plot",
    style: { fontSize: "13px", background: "none", ...(style as object) },
  });
  // page.css has these rules.
  drawn.querySelector("style")?.remove();
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", label);
  for (const part of drawn.querySelectorAll("[aria-label]"))
    part.removeAttribute("aria-label");
  return new Html(rounded(drawn.outerHTML));
}

/** Rounds attributes to hundredths of a pixel, which saves a third of the bytes. Text is unchanged. */
function rounded(markup: string): string {
  return markup.replace(/="[^"]*"/g, (attribute) =>
    attribute.replace(/-?\d+\.\d{3,}/g, (number) =>
      String(Number(Number(number).toFixed(2))),
    ),
  );
}

/** Number of rows with values from x1 to x2. */
export interface Bar {
  x1: number;
  x2: number;
  rows: number;
}

interface HistogramSpec
  extends Pick<FigureSpec, "id" | "title" | "caption" | "wide"> {
  axis: string;
  bars: Bar[];
  /** Formats an edge in the table. */
  value?: (edge: number) => string;
  /** Options of the x axis other than its label. */
  x?: object;
  marks?: Plot.Markish[];
}

/** Returns a figure and table with the number of rows in each range of values. */
export function histogram({
  bars,
  axis,
  value = digits,
  x = { domain: [bars[0]?.x1 ?? 0, bars.at(-1)?.x2 ?? 1] },
  marks = [],
  ...spec
}: HistogramSpec): Html {
  return figure({
    ...spec,
    picture: picture(`Histogram: rows by ${axis.replace(" →", "")}`, {
      ...(spec.wide && { width: WIDE }),
      x: { label: axis, ...x },
      y: { label: "↑ rows", grid: true, tickFormat: axisCount, nice: true },
      marks: [
        Plot.rectY(bars, {
          x1: "x1",
          x2: "x2",
          y: "rows",
          fill: "var(--bar)",
          insetLeft: 0.5,
          insetRight: 0.5,
        }),
        ...marks,
        Plot.ruleY([0]),
      ],
    }),
    table: table(
      `Rows by ${spec.title}`,
      ["from", "to", "rows"],
      bars.map(({ x1, x2, rows }) => [value(x1), value(x2), count(rows)]),
    ),
  });
}

/** YlGnBu of ColorBrewer, which readers with any color vision can distinguish; from weak to strong, reversed in the dark. */
const COLORS = "ffffd9 edf8b1 c7e9b4 7fcdbb 41b6c4 1d91c0 225ea8 253494 081d58";
const LIGHT = COLORS.split(" ");
const DARK = LIGHT.toReversed();
const SHADES = LIGHT.length;

/** Returns the variables `--h0` to `--h8` of the shades and `--t0` to `--t8` of text on them, and a class for each. */
export function shadeStyle(): string {
  const text = (isLight: boolean) => (isLight ? "#000" : "#fff");
  const variables = LIGHT.map(
    (color, k) =>
      `--h${k}: light-dark(#${color}, #${DARK[k]}); --t${k}: light-dark(${text(k < 6)}, ${text(k > 2)});\n`,
  );
  const classes = LIGHT.map(
    (_, k) => `.s${k} { background: var(--h${k}); color: var(--t${k}); }\n`,
  );
  return `:root {\n${variables.join("")}}\n${classes.join("")}`;
}

/** Maximum ratio between the largest and the smallest shaded value. */
const MAX_RATIO = 1e4;
/** Minimum ratio; with a smaller one, noise would look like structure. */
const MIN_RATIO = 2;

interface ShadeScale {
  shade(value: number): number;
  /** Smallest values of the shades 1 to 8, ascending. */
  edges: number[];
}

/** Divides the range of the positive values into shades of equal ratio. */
export function shadeScale(values: readonly number[]): ShadeScale {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return { shade: () => 0, edges: [] };
  const high = Math.max(...positive);
  const span = high / Math.min(...positive);
  const low = high / Math.max(MIN_RATIO, Math.min(MAX_RATIO, span));
  const ratio = (high / low) ** (1 / SHADES);
  const edges = Array.from(
    { length: SHADES - 1 },
    (_, k) => low * ratio ** (k + 1),
  );
  return {
    edges,
    shade: (value) => edges.filter((edge) => value >= edge).length,
  };
}
