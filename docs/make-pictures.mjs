// node docs/make-pictures.mjs [FILE], after a build: docs/show.svg, what `softjac show` prints of the least sure row of the demo.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const COLUMNS = "100";
const ESCAPE = "\u001b[";
const COLOUR = new RegExp(`(${ESCAPE.replace("[", "\\[")}[\\d;]*m)`);
const root = fileURLToPath(new URL("..", import.meta.url));
const at = mkdtempSync(join(tmpdir(), "softjac-pictures-"));
const softjac = (...args) =>
  execFileSync(process.execPath, [join(root, "dist/cli.js"), ...args], {
    cwd: at,
    encoding: "utf8",
    env: { ...process.env, FORCE_COLOR: "1", NO_COLOR: "", COLUMNS },
  });

try {
  softjac(
    ...["run", join(root, "data/digits-logits.arrow"), "-o", "digits.arrow"],
    ...["--keep", "id,label", "--quiet"],
  );
  const command = "softjac show digits.arrow --row 1443";
  const shown = softjac(...command.split(" ").slice(1));
  const lines = [`$ ${command}`, "", ...shown.trimEnd().split("\n")];
  const [, , path = join(root, "docs/show.svg")] = process.argv;
  writeFileSync(path, svgOf(lines));
} finally {
  rmSync(at, { recursive: true });
}

/** Lines of a terminal, 256 colours and all. */
function svgOf(lines) {
  const [width, height, margin] = [8.4, 18, 14];
  const columns = Number(COLUMNS);
  const texts = lines.flatMap((line, y) => {
    let x = 0;
    return runsOf(line).map(({ text, back, fore }) => {
      const left = margin + x * width;
      const top = margin + y * height;
      x += text.length;
      const box = back
        ? `<rect x="${left.toFixed(1)}" y="${top}" width="${(text.length * width).toFixed(1)}" height="${height}" fill="${back}"/>`
        : "";
      if (text.trim() === "") return box;
      return `${box}<text x="${left.toFixed(1)}" y="${top + 13}" textLength="${(text.length * width).toFixed(1)}" fill="${fore}">${escaped(text)}</text>`;
    });
  });
  const [w, h] = [
    2 * margin + columns * width,
    2 * margin + lines.length * height,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" role="img" aria-label="Terminal: ${escaped(lines[0])}">
<rect width="${w}" height="${h}" rx="8" fill="#16181d"/>
${texts.filter(Boolean).join("\n")}
</svg>
`;
}

function runsOf(line) {
  let [back, fore] = [null, "#d4d7dd"];
  const runs = [];
  for (const part of line.split(COLOUR)) {
    const codes = part.startsWith(ESCAPE) ? part.slice(2, -1) : null;
    if (codes === null) {
      if (part) runs.push({ text: part, back, fore });
      continue;
    }
    const [what, , n] = codes.split(";");
    if (what === "48") back = colour(Number(n));
    else if (what === "38") fore = colour(Number(n));
    else [back, fore] = [null, "#d4d7dd"];
  }
  return runs;
}

/** Of xterm's 256. */
function colour(n) {
  const hex = (...rgb) =>
    `#${rgb.map((x) => x.toString(16).padStart(2, "0")).join("")}`;
  if (n >= 232) return hex(...Array(3).fill(8 + 10 * (n - 232)));
  const level = (k) => (k === 0 ? 0 : 55 + 40 * k);
  const k = n - 16;
  return hex(
    level(Math.floor(k / 36)),
    level(Math.floor(k / 6) % 6),
    level(k % 6),
  );
}

function escaped(text) {
  return text
    .replace(/ /g, "\u00a0") // others collapse
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/"/g, "&quot;");
}
