import { printable } from "../../printable.js";

/** Markup. `html` inserts it unchanged and escapes all other values. */
export class Html {
  constructor(readonly markup: string) {}
}

type Value = Html | string | number | null | false | readonly Value[];

/** Template tag for markup: escapes text, joins lists, and omits null and false. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(
    strings.reduce(
      (markup, string, n) => markup + markupOf(values[n - 1] ?? null) + string,
    ),
  );
}

function markupOf(value: Value): string {
  if (value === null || value === false) return "";
  if (value instanceof Html) return value.markup;
  if (Array.isArray(value)) return value.map(markupOf).join("");
  return escaped(String(value));
}

function escaped(text: string): string {
  const reference = (character: string) => `&#${character.charCodeAt(0)};`;
  return printable(text).replace(/[&<>"']/g, reference);
}

export interface FigureSpec {
  id: string;
  title: string;
  /** Description, with the number of rows. */
  caption: Html;
  picture: Html;
  table?: Html | null;
  wide?: boolean;
}

/** Returns a picture with its caption and a table that can be unfolded. */
export function figure({
  id,
  title,
  caption,
  picture,
  table = null,
  wide = false,
}: FigureSpec): Html {
  return html`<figure id="${id}" class="${wide ? "wide" : ""}" aria-labelledby="${id}-title">
<h3 id="${id}-title">${title}</h3>
${picture}
<figcaption>${caption}</figcaption>
${table && html`<details><summary>Table: ${title}</summary>${table}</details>`}
</figure>
`;
}

/** Returns a table whose first column has the row headings. `caption` is its name for screen readers. */
export function table(
  caption: string,
  head: readonly (string | Html)[],
  rows: readonly (readonly (string | Html | null)[])[],
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>
${rows.map(
  ([name = null, ...cells]) =>
    html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`,
)}</tbody></table></div>`;
}

/** Section of the page: a sentence about it, reasons why it lacks numbers, and its content. */
export interface Section {
  lead: Value;
  reasons?: readonly string[];
  content: Value;
}

/** Formats a number with at most `max` significant digits: "0.0123", "3.14 × 10⁻⁸". */
export function digits(value: number, max = 3): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6)
    return value
      .toLocaleString("en-US", { maximumSignificantDigits: max })
      .replace("-", "−");
  const [mantissa = "", exponent = ""] = value
    .toExponential(max - 1)
    .split("e");
  const shown = mantissa.replace(/\.?0+$/, "").replace("-", "−");
  const power = powerOfTen(Number(exponent));
  return shown === "1" ? power : `${shown} × ${power}`;
}

/** Formats a number for a narrow cell: "0.084", "−3.2e−8". */
export function cellNumber(value: number): string {
  const size = Math.abs(value);
  const text =
    size === 0
      ? "0"
      : size >= 1e-3
        ? String(Number(value.toPrecision(2)))
        : value.toExponential(1).replace(".0e", "e");
  return text.replaceAll("-", "−");
}

/** Formats a power of ten: "10⁻⁸". */
export function powerOfTen(exponent: number): string {
  if (exponent === 0) return "1";
  const raised = (sign: string) =>
    "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)] as string;
  return `10${String(exponent).replace(/./g, raised)}`;
}

/** Formats a share: "12.3 %". */
export function percent(share: number, max = 3): string {
  return `${digits(100 * share, max)} %`;
}

/** Formats a count on an axis: "1,200", "1.2M". */
export function axisCount(value: number): string {
  const large = { notation: "compact", maximumSignificantDigits: 4 } as const;
  return value.toLocaleString("en-US", value < 1e6 ? {} : large);
}
