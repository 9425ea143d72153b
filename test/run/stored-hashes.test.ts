import { createHash } from "node:crypto";
import fs from "node:fs";
import { pathToFileURL } from "node:url";
import { type Data, RecordBatchFileWriter, tableFromIPC } from "apache-arrow";
import { expect, test } from "vitest";
import type * as Public from "../../src/index.js";
import { LAYOUTS } from "../../src/results/catalogue.js";
import { DIGITS } from "../cli/support.js";
import { copiedBuild } from "../support/copied-build.js";
import { workDirectory } from "../support/logits-input.js";

// Outputs of a real file keep their bytes from version to version. A changed hash needs a line in CHANGELOG.md;
// `npx vitest run test/run/stored-hashes.test.ts -u` stores the new hashes.

const at = workDirectory();
// Outputs contain the version.
const build = copiedBuild(at("build"), "0.0.0");
const { run, version }: typeof Public = await import(
  pathToFileURL(`${build}/index.js`).href
);
// The dense tensor of all rows takes gigabytes.
const few = tableFromIPC(fs.readFileSync(DIGITS)).slice(0, 60);
const fewDigits = at("digits-logits.arrow");
fs.writeFileSync(
  fewDigits,
  RecordBatchFileWriter.writeAll(few).toUint8Array(true),
);

/** Results of a run with their auxiliary inputs. */
const SETS = {
  jacobian: { emit: "softmax,jacobian" },
  logarithms: { emit: "softmax,log_softmax,entropy" },
  parts: { emit: "diagonal,trace,column", class: 3 },
  losses: { emit: "cross_entropy,gradient", label: "label" },
  products: { emit: "vjp,jvp", cotangent: "logits", tangent: "logits" },
};

test.each(
  LAYOUTS.flatMap((layout) =>
    (["float32", "float64"] as const).map((dtype) => [layout, dtype] as const),
  ),
)("%s, %s", async (layout, dtype) => {
  expect(version).toBe("0.0.0");
  const found: Record<string, object> = {};
  for (const [set, { emit, ...inputs }] of Object.entries(SETS)) {
    const output = at("out.arrow");
    await run({
      input: layout === "dense" ? fewDigits : DIGITS,
      ...{ output, layout, dtype, force: true },
      ...(layout !== "coo" && { keep: ["id", "split"] }),
      ...resultsIn(layout, emit),
      ...((layout !== "coo" || set === "losses") && inputs),
    });
    const bytes = fs.readFileSync(output);
    found[set] = { file: sha256([bytes]), ...columnHashes(bytes) };
  }
  await expect(`${JSON.stringify(found, null, 2)}\n`).toMatchFileSnapshot(
    `../fixtures/hashes/${layout}-${dtype}.json`,
  );
});

/** Adapts the results to the layout: all but bsr need a Jacobian, and coo stores only results of one value per row. */
function resultsIn(layout: (typeof LAYOUTS)[number], asked: string) {
  const inCoo = ["jacobian", "entropy", "trace", "cross_entropy"];
  const emit = asked
    .split(",")
    .filter((name) => layout !== "coo" || inCoo.includes(name));
  if (layout !== "bsr" && !emit.includes("jacobian"))
    emit.push(
      layout === "coo" && emit.length === 0 ? "log_jacobian" : "jacobian",
    );
  const isEntries = layout === "csr" || layout === "coo";
  if (isEntries) emit.push("dropped_max", "dropped_sum");
  return {
    emit: emit as Public.RunOptions["emit"],
    ...(isEntries && { threshold: 1e-6 }),
  };
}

/** Returns a hash per column, of its values, offsets and validity bits in all batches. */
function columnHashes(bytes: Uint8Array): Record<string, string> {
  const { schema, batches } = tableFromIPC(bytes);
  return Object.fromEntries(
    schema.fields.map(({ name }, k) => [
      name,
      sha256(
        batches.flatMap(({ data }) => buffersOf(data.children[k] as Data)),
      ),
    ]),
  );
}

function buffersOf(data: Data): Uint8Array[] {
  const { values, valueOffsets, nullBitmap, children, dictionary } = data;
  return [
    ...[nullBitmap, valueOffsets, values].flatMap((buffer) =>
      buffer
        ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
        : [],
    ),
    ...children.flatMap(buffersOf),
    ...(dictionary?.data.flatMap(buffersOf) ?? []),
  ];
}

function sha256(parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}
