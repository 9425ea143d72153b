import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tableFromIPC, tableToIPC } from "apache-arrow";
import { expect, test } from "vitest";
import { softjac, typed } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Files that are made to break whoever interprets them: each is refused in one sentence.

const at = workDirectory();
const out = at("out.arrow");

function expectRefused(args: string[], message: string): void {
  const { status, stdout, stderr } = softjac(...args);
  expect(stderr).toBe(`softjac: ${message}\n`);
  expect(stdout).toBe("");
  expect(status).toBe(65);
}

test("a safetensors header nested 20,000 deep", () => {
  const levels = 20_000;
  const header = `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const deep = at("deep.safetensors");
  writeFileSync(deep, Buffer.concat([length, Buffer.from(header)]));
  const message = `${deep}: structure: the values are nested too deeply`;
  expectRefused(["run", deep, "-o", out], message);
  expectRefused(["inspect", deep], message);
});

test("rows of so many classes that no memory holds one", async () => {
  const { Field, FixedSizeList, Float32, Schema, RecordBatchFileWriter } =
    await import("apache-arrow");
  const classes = 2 ** 31 - 1;
  const type = new FixedSizeList(classes, new Field("item", new Float32()));
  const writer = new RecordBatchFileWriter();
  writer.reset(undefined, new Schema([new Field("logits", type)]));
  writer.finish();
  const wide = at("wide.arrow");
  writeFileSync(wide, await writer.toUint8Array());
  for (const more of [
    ["--emit", "softmax"],
    ["--layout", "factored"],
  ])
    for (const dry of [[], ["--dry-run"]]) {
      const { status, stderr } = softjac(
        "run",
        wide,
        "-o",
        out,
        ...more,
        ...dry,
      );
      expect(stderr).toMatch(
        /^softjac: \S*wide\.arrow: column logits: expected rows of at most 4294901760 bytes of memory, found 2147483647 classes, which need \d+\n$/m,
      );
      expect(status).toBe(65);
    }
});

test("results whose entries are no entries of a Jacobian", async () => {
  const input = at("logits.arrow");
  await built.generate({ output: input, rows: 20, classes: 4, seed: 1 });
  for (const layout of ["bsr", "coo"] as const) {
    const output = at(`${layout}.arrow`);
    await built.run({
      input,
      output,
      layout,
      emit: ["jacobian"],
      dtype: "float64",
    });
    const bytes = readFileSync(output);
    const table = tableFromIPC(bytes);
    const column = layout === "coo" ? "value" : "jacobian";
    const { data } = table.getChild(column) as NonNullable<
      ReturnType<typeof table.getChild>
    >;
    const values = (data[0]?.children[0] ?? data[0])?.values as Float64Array;
    values[5] = 1e300;
    writeFileSync(output, tableToIPC(table, "file"));
    const { status, stderr } = typed`report ${output} -o ${at("page.html")}
      --force`;
    expect(stderr).toMatch(
      /: row [01]: expected entries of its block from -1 to 1, found 1e\+300\n$/,
    );
    expect(status).toBe(65);
  }
});

test("what a manifest of a dataset does not say is no bug", () => {
  const folder = at("dataset");
  writeManifest(folder, { parts: [null], inputs: [] });
  const { status, stderr } = softjac("show", folder, "--row", "0");
  expect(stderr).toMatch(
    /^softjac: .*dataset: _manifest\.json: could not be parsed \([^\n]+\)\n$/,
  );
  expect(status).toBe(65);
});

function writeManifest(folder: string, manifest: object): void {
  mkdirSync(folder);
  for (const name of ["_manifest.json", "_SUCCESS"])
    writeFileSync(join(folder, name), JSON.stringify(manifest));
}
