// npm run demo: softjac run on the digits, then the least sure of its rows.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "apache-arrow";

const root = fileURLToPath(new URL("..", import.meta.url));
const output = "out/digits-jacobian.arrow";

mkdirSync(new URL("../out", import.meta.url), { recursive: true });
softjac(
  "run data/digits-logits.arrow -o",
  output,
  "--keep id,label --emit softmax,jacobian,uncertainty --force",
);

// Read by another library than softjac's own.
const table = tableFromIPC(
  readFileSync(new URL(`../${output}`, import.meta.url)),
);
const uncertainty = table.getChild("uncertainty").toArray();
softjac(
  "show",
  output,
  `--row ${uncertainty.indexOf(Math.max(...uncertainty))}`,
);

function softjac(...words) {
  const line = words.join(" ");
  process.stdout.write(`$ softjac ${line}\n\n`);
  const { status } = spawnSync(
    process.execPath,
    ["dist/cli.js", ...line.split(" ")],
    { cwd: root, stdio: "inherit" },
  );
  if (status !== 0) process.exit(status ?? 1);
  process.stdout.write("\n");
}
