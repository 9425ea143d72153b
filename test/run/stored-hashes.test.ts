import { createHash } from "node:crypto";
import {
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { fileURLToPath } from "node:url";
import { type Data, RecordBatchFileWriter, tableFromIPC } from "apache-arrow";
import { afterAll, expect, test } from "vitest";
import type * as Public from "../../src/index.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

// Outputs of a real file keep their bytes from version to version. A changed hash needs a line in CHANGELOG.md;
// `npx vitest run test/run/stored-hashes.test.ts -u` stores the new hashes.

const at = workDirectory();
const root = new URL("../../", import.meta.url);
const digits = fileURLToPath(new URL("data/digits-logits.arrow", root));
const fewDigits = at("digits-logits.arrow");
const { run } = await buildOfVersion("0.0.0");
writeFirstRows(60);

/** Results of a run with their auxiliary inputs. */
const SETS = {
  jacobian: { emit: "softmax,jacobian" },
  logarithms: { emit: "softmax,log_softmax,entropy" },
  parts: { emit: "diagonal,trace,column", class: 3 },
  losses: { emit: "cross_entropy,gradient", label: "label" },
  products: { emit: "vjp,jvp", cotangent: "logits", tangent: "logits" },
};
const LAYOUTS = ["bsr", "packed", "csr", "coo", "factored", "dense"] as const;

test.each(
  LAYOUTS.flatMap((layout) => [
    [layout, "float32"] as const,
    [layout, "float64"] as const,
  ]),
)("%s, %s", async (layout, dtype) => {
  const found: Record<string, object> = {};
  for (const [set, { emit, ...inputs }] of Object.entries(SETS)) {
    const output = at("out.arrow");
    await run({
      // The dense tensor of all rows takes gigabytes.
      input: layout === "dense" ? fewDigits : digits,
      output,
      layout,
      dtype,
      force: true,
      ...(layout !== "coo" && { keep: ["id", "split"] }),
      ...resultsIn(layout, emit),
      ...(layout === "coo" && set !== "losses" ? {} : inputs),
    });
    const bytes = readFileSync(output);
    found[set] = { file: sha256([bytes]), ...columnHashes(bytes) };
  }
  await expect(`${JSON.stringify(found, null, 2)}\n`).toMatchFileSnapshot(
    `../fixtures/hashes/${layout}-${dtype}.json`,
  );
});

/** Adapts the results to the layout: all but bsr need a Jacobian, and coo stores only results of one value per row. */
function resultsIn(layout: (typeof LAYOUTS)[number], asked: string) {
  let emit = asked.split(",");
  if (layout === "coo")
    emit = emit.filter((name) =>
      ["jacobian", "entropy", "trace", "cross_entropy"].includes(name),
    );
  if (layout !== "bsr" && !emit.includes("jacobian"))
    emit.push(
      layout === "coo" && emit.length === 0 ? "log_jacobian" : "jacobian",
    );
  if (layout !== "csr" && layout !== "coo")
    return { emit: emit as Public.RunOptions["emit"] };
  return {
    emit: [...emit, "dropped_max", "dropped_sum"] as Public.RunOptions["emit"],
    threshold: 1e-6,
  };
}

/** Returns a hash per column, of its values, offsets and validity bits in all batches. */
function columnHashes(bytes: Uint8Array): Record<string, string> {
  const table = tableFromIPC(bytes);
  return Object.fromEntries(
    table.schema.fields.map(({ name }, k) => [
      name,
      sha256(
        table.batches.flatMap(({ data }) =>
          buffersOf(data.children[k] as Data),
        ),
      ),
    ]),
  );
}

function buffersOf({
  values,
  valueOffsets,
  nullBitmap,
  children,
  dictionary,
}: Data): Uint8Array[] {
  const own = [nullBitmap, valueOffsets, values].filter(
    (buffer) => buffer !== undefined && buffer !== null,
  );
  return [
    ...own.map(
      ({ buffer, byteOffset, byteLength }) =>
        new Uint8Array(buffer, byteOffset, byteLength),
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

/** Copies the build with a fixed version, because outputs contain the version. */
async function buildOfVersion(other: string): Promise<typeof Public> {
  const copy = new URL(`out/stored-hashes-${process.pid}/`, root);
  afterAll(() => rmSync(copy, { recursive: true, force: true }));
  cpSync(new URL("dist/", root), copy, { recursive: true });
  let changed = 0;
  for (const name of readdirSync(copy).filter((file) => file.endsWith(".js"))) {
    const file = new URL(name, copy);
    const text = readFileSync(file, "utf8");
    const renamed = text.replaceAll(`"${built.version}"`, `"${other}"`);
    if (renamed !== text) changed++;
    writeFileSync(file, renamed);
  }
  expect(changed).toBe(1);
  const build = (await import(new URL("index.js", copy).href)) as typeof Public;
  expect(build.version).toBe(other);
  return build;
}

function writeFirstRows(rows: number): void {
  const table = tableFromIPC(readFileSync(digits)).slice(0, rows);
  const writer = RecordBatchFileWriter.writeAll(table);
  writeFileSync(fewDigits, writer.toUint8Array(true));
}
