import { digits } from "./figures.js";
import { type Html, html } from "./html.js";

/** A number to read, with all its digits for machines; `name`: which of the page's it is. */
export function numberOf(
  name: string,
  value: number | null,
  shown?: string,
): Html {
  if (value === null) return html`<span class="none">unknown</span>`;
  return html`<data value="${value}" data-number="${name}">${shown ?? digits(value)}</data>`;
}

export interface FigureSpec {
  id: string;
  title: string;
  /** What it shows, and from how many rows. */
  caption: Html;
  picture: Html;
  /** The same in numbers. */
  table?: Html | null;
  wide?: boolean;
}

/** A picture with its caption, and its numbers for who cannot see it, or wants them. */
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

/** A table of texts; the first column names its rows. `caption` is for who does not see where it stands. */
export function table(
  caption: string,
  head: readonly (string | Html)[],
  rows: readonly (readonly (string | Html | null)[])[],
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<caption class="unseen">${caption}</caption>
<thead><tr>${head.map((cell) => html`<th scope="col">${cell}</th>`)}</tr></thead>
<tbody>
${rows.map(
  ([name = null, ...cells]) =>
    html`<tr><th scope="row">${name}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>
`,
)}</tbody></table></div>`;
}

/** Explains why a section is incomplete. */
export function lacking(sentences: readonly string[]): Html {
  return html`${sentences.map(
    (sentence) => html`<p class="lacks">${sentence}</p>
`,
  )}`;
}

export function section(
  id: string,
  title: string,
  lead: Html | string,
  content: readonly (Html | null)[],
): Html {
  return html`<section id="${id}" aria-labelledby="${id}-heading">
<h2 id="${id}-heading">${title}</h2>
<p class="lead">${lead}</p>
${content}
</section>
`;
}
