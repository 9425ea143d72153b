import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { normal, random } from "../support/random.js";
import { importable, runPython } from "./python.js";

const at = workDirectory();
const LAYOUTS = ["bsr", "packed", "csr", "coo", "factored", "dense"] as const;
const LEAST = 1e-3;

interface Case {
  input: string;
  output: string;
  layout: string;
  stream: boolean;
  least: number;
}

test.skipIf(!importable("pyarrow, numpy"))(
  "every layout, plain and compressed, as a file and as a stream, read by pyarrow, polars and DuckDB",
  async () => {
    const cases: Case[] = [];
    for (const dtype of ["float64", "float32"] as const) {
      const gauss = normal(random(5));
      const input = at(`${dtype}.arrow`);
      writeLogits(input, {
        rows: 60,
        classes: 7,
        dtype,
        batchRows: [25],
        logit: () => 3 * gauss(),
      });
      for (const layout of LAYOUTS)
        for (const compress of [undefined, "lz4", "zstd"] as const)
          for (const stream of dtype === "float64" ? [false, true] : [false]) {
            const output = at(`${[dtype, layout, compress, stream].join("-")}`);
            const least = layout === "csr" ? LEAST : 0;
            const threshold = layout === "csr" ? LEAST : undefined;
            const options = { input, layout, compress, threshold };
            if (stream) streamTo(output, options);
            else await built.run({ ...options, output });
            cases.push({ input, output, layout, stream, least });
          }
    }
    writeFileSync(at("cases.json"), JSON.stringify(cases));
    const { status, stdout, stderr } = runPython(
      fileURLToPath(new URL("layouts.py", import.meta.url)),
      at("cases.json"),
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain(`pyarrow: ${cases.length} outputs`);
  },
);

/** The command's standard output, into a file. */
function streamTo(
  path: string,
  { input, ...options }: { input: string } & Record<string, unknown>,
): void {
  const flags = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  );
  const fd = openSync(path, "w");
  const { status } = spawnSync(
    process.execPath,
    [CLI, "run", input, "-o", "-", "--quiet", ...flags],
    { stdio: ["ignore", fd, "inherit"] },
  );
  closeSync(fd);
  expect(status).toBe(0);
}
