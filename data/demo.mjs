// npm run demo: softjac run on the digits, then one block of what came out, read back with apache-arrow.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "apache-arrow";

const root = fileURLToPath(new URL("..", import.meta.url));
const output = "out/digits-jacobian.arrow";
const command = ["run", "data/digits-logits.arrow", "-o", output];
const extra = ["--keep", "id,label", "--force"];

mkdirSync(new URL("../out", import.meta.url), { recursive: true });
process.stdout.write(`$ softjac ${[...command, ...extra].join(" ")}\n\n`);
const { status } = spawnSync(
  process.execPath,
  ["dist/cli.js", ...command, ...extra],
  { cwd: root, stdio: "inherit" },
);
if (status !== 0) process.exit(status ?? 1);

const table = tableFromIPC(
  readFileSync(new URL(`../${output}`, import.meta.url)),
);
process.stdout.write(`\n${blockPicture(mostTorn(table))}`);

/** The row whose largest probability is smallest: where the block has the most to show. */
function mostTorn(table) {
  let best = { confidence: 2 };
  for (const row of table) {
    const p = row.softmax.toArray();
    const confidence = Math.max(...p);
    if (confidence < best.confidence)
      best = { confidence, p, J: row.jacobian.toArray(), ...row.toJSON() };
  }
  return best;
}

/** p as bars, J as shades: blue below 0, orange above, in steps of a square root, so that small entries show. */
function blockPicture({ row, id, label, p, J }) {
  const Q = p.length;
  const largest = J.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  const colour = process.stdout.isTTY && !process.env.NO_COLOR;
  const cell = (x) => {
    const shade = Math.round(4 * Math.sqrt(Math.abs(x) / largest));
    const text = x
      .toFixed(3)
      .replace(/^(-?)0/, "$1")
      .replace("-.000", ".000");
    if (!colour) return `${text.padStart(6)} `;
    const ramp = x < 0 ? [232, 17, 18, 25, 32] : [232, 52, 94, 130, 172];
    return `\x1b[48;5;${ramp[shade]}m\x1b[38;5;${shade > 2 ? 231 : 250}m${text.padStart(6)} \x1b[0m`;
  };
  const lines = [
    `row ${row} (id ${id}, label ${label}): the least sure of all. J[i,j] = \u2202softmax(o)_j / \u2202o_i`,
    "",
    ` i  p_i${" ".repeat(15)}${Array.from({ length: Q }, (_, j) => `j=${j}`.padStart(6)).join(" ")}`,
  ];
  for (let i = 0; i < Q; i++) {
    const bar = "\u2588".repeat(Math.round(p[i] * 12)).padEnd(12);
    const cells = Array.from({ length: Q }, (_, j) => cell(J[i * Q + j]));
    lines.push(
      `${String(i).padStart(2)}  ${p[i].toFixed(3)} ${bar} ${cells.join("")}`,
    );
  }
  const sums = Array.from({ length: Q }, (_, i) =>
    Math.abs(J.slice(i * Q, (i + 1) * Q).reduce((s, x) => s + x, 0)),
  );
  lines.push(
    "",
    `Each row of J sums to 0; here to ${Math.max(...sums).toExponential(1)} at most, in float32.`,
  );
  return `${lines.join("\n")}\n`;
}
