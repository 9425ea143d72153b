import { readFileSync } from "node:fs";
import { basename } from "node:path";
import type { PageNumbers } from "../output-report.js";
import { classesSection } from "./classes-section.js";
import { calibrationSection, confidenceSection } from "./confidence-section.js";
import { Html, html } from "./html.js";
import { shadeStyle } from "./plot.js";
import { rowsSection, summarySection } from "./summary-section.js";

const SECTIONS = [
  { id: "summary", title: "Summary", draw: summarySection },
  { id: "confidence", title: "Confidence", draw: confidenceSection },
  { id: "calibration", title: "Calibration", draw: calibrationSection },
  { id: "classes", title: "Classes", draw: classesSection },
  { id: "rows", title: "Most uncertain rows", draw: rowsSection },
];

/** page.css, which the build copies beside this file. */
const STYLE = new URL("report-page.css", import.meta.url);

/** Policy that loads nothing and runs no script, in case text from a file is not escaped. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** Returns the page, which loads no scripts, files or fonts. */
export function drawPage(numbers: PageNumbers): string {
  const { title, results, softjac } = numbers;
  const sections = SECTIONS.flatMap(({ draw, ...section }) => {
    const drawn = draw(numbers);
    return drawn ? [{ ...section, reasons: [], ...drawn }] : [];
  });
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="softjac ${softjac}">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>
${new Html(readFileSync(STYLE, "utf8") + shadeStyle())}
</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p>Report on ${basename(results)}, written by softjac ${softjac}.</p>
<nav aria-label="Sections"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
</header>
<main>
${sections.map(
  (s) => html`<section id="${s.id}" aria-labelledby="${s.id}-heading">
<h2 id="${s.id}-heading">${s.title}</h2>
<p class="lead">${s.lead}</p>
${s.reasons.map((reason) => html`<p class="reason">${reason}</p>`)}
${s.content}
</section>
`,
)}
</main>
</body>
</html>
`.markup;
}
