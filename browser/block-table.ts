import { element } from "./elements.js";
import type { RowData } from "./row-data.js";

/** The page's steps of shade. */
const SHADES = 9;

/** The block as a table whose cells are shaded by size: each step down is a factor of ten less. */
export function blockTable(
  { classes, block }: RowData,
  from: "output" | "p",
): HTMLElement {
  const values = block ?? [];
  const sizes = values.map((value) => Math.abs(value ?? 0));
  const largest = Math.max(...sizes);
  const head = element(
    "tr",
    {},
    element("th", { scope: "col" }, "i \\ j"),
    ...classes.map((j) => element("th", { scope: "col" }, String(j))),
  );
  const rows = classes.map((i, a) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, String(i)),
      ...classes.map((_, b) =>
        cell(values[placeOf(a, b, classes.length)] ?? null, largest),
      ),
    ),
  );
  return element(
    "div",
    { class: "block" },
    element("h3", {}, "Block J[i,j]"),
    element(
      "div",
      {
        class: "scroll",
        tabindex: "0",
        role: "region",
        "aria-label": "Block of the row",
      },
      element(
        "table",
        {},
        element("thead", {}, head),
        element("tbody", {}, ...rows),
      ),
    ),
    element("p", { class: "note" }, noteOf(values, from)),
  );
}

/** Of an upper triangle, row by row. */
function placeOf(a: number, b: number, classes: number): number {
  const [low, high] = a < b ? [a, b] : [b, a];
  return low * classes - (low * (low - 1)) / 2 + high - low;
}

function cell(value: number | null, largest: number): HTMLElement {
  if (value === null) return element("td", { "aria-label": "not stored" }, "·");
  const decades = value === 0 ? SHADES : Math.log10(largest / Math.abs(value));
  const shade = Math.max(0, SHADES - 1 - Math.floor(decades));
  return element("td", { class: `s${shade}` }, short(value));
}

/** Two digits in little room: "0.084", "−3e−8". */
function short(value: number): string {
  const size = Math.abs(value);
  const text =
    size === 0
      ? "0"
      : size >= 0.001
        ? String(Number(value.toPrecision(2)))
        : value.toExponential(1).replace(/\.0e/, "e");
  return text.replaceAll("-", "−");
}

function noteOf(
  values: readonly (number | null)[],
  from: "output" | "p",
): string {
  const note =
    from === "output"
      ? "As stored in the output."
      : "Computed from p: the output has no blocks.";
  const left = values.includes(null)
    ? " A dot is an entry that is not stored: dropped, or 0."
    : "";
  return `${note} Each shade is a factor of ten; the strongest is the largest entry.${left}`;
}
