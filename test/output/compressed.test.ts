import { readFileSync, writeFileSync } from "node:fs";
import {
  CompressionType,
  compressionRegistry,
  type Data,
  type DataType,
  type Table,
  tableFromIPC,
} from "apache-arrow";
import lz4js from "lz4js";
import { beforeAll, describe, expect, test } from "vitest";
import { ZSTDDecoder } from "zstddec";
import type { RunOptions } from "../../src/options/run-options.js";
import { DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { KEPT, writeKept } from "../support/kept-input.js";
import { runsIn, upTo, VERIFIED } from "../support/runs.js";

// `--compress`: read by arrow-js with decoders that are not those that the project reads with, and by the project itself,
// which refuses a length in front of a buffer that is not what its type needs.

const { at, write, output } = runsIn();
const CODECS = ["lz4", "zstd"] as const;
const kept = at("kept.arrow");
writeKept(kept, 20);
const bad = write(
  {
    ...{ rows: 400, classes: 6, batchRows: [90] },
    logit: (r, k) => (r % 97 === 5 ? Number.NaN : Math.sin(r * k) * 9),
  },
  at("bad.arrow"),
);
/** Blocks of 8 MiB in a batch, of which LZ4 makes blocks of 4 MiB: every row three times, and then zeros. */
const large = write(
  {
    ...{ rows: 10_000, classes: 10, batchRows: [5500] },
    logit: (r, k) =>
      r < 6000 ? ((Math.floor(r / 3) * 31 + k * 17) % 1009) / 99 : 900 * k,
  },
  at("large.arrow"),
);
const empty = write({ rows: 0, classes: 3, logit: () => 0 }, at("empty.arrow"));

beforeAll(async () => {
  const zstd = new ZSTDDecoder();
  await zstd.init();
  compressionRegistry.set(CompressionType.ZSTD, {
    decode: (bytes: Uint8Array) => zstd.decode(bytes),
  });
  compressionRegistry.set(CompressionType.LZ4_FRAME, {
    decode: (bytes: Uint8Array) => new Uint8Array(lz4js.decompress(bytes)),
  });
});

/** Inputs and options; those of the first codec alone have other buffers, which a codec does not see. */
const CASES: [input: string, options: Partial<RunOptions>, codec?: "lz4"][] = [
  [DIGITS, {}],
  [DIGITS, { layout: "packed", dtype: "float64" }, "lz4"],
  [DIGITS, { layout: "factored" }, "lz4"],
  [DIGITS, { layout: "csr", threshold: 1e-3, threads: 2 }],
  [DIGITS, { layout: "coo" }, "lz4"],
  [kept, { keep: Object.keys(KEPT) }],
  [kept, { keep: ["name", "kind"], layout: "csr" }, "lz4"],
  [kept, { layout: "dense" }, "lz4"],
  [bad, { onBadRow: "null" }],
  [bad, { onBadRow: "skip" }, "lz4"],
  [bad, { onBadRow: "skip", layout: "coo" }, "lz4"],
  [large, { threads: 2 }],
  [large, { layout: "csr", threads: 2 }],
  [empty, {}],
  [empty, { layout: "coo" }, "lz4"],
];

/** Uncompressed outputs, which both codecs share. */
const plainBytes = new Map<object, Promise<Buffer>>();
function plainOf(input: string, options: object): Promise<Buffer> {
  const output = at(`plain-${plainBytes.size}.arrow`);
  const bytes =
    plainBytes.get(options) ??
    built.run({ ...options, input, output }).then(() => readFileSync(output));
  plainBytes.set(options, bytes);
  return bytes;
}

describe.each(CODECS)("%s", (compress) => {
  const cases = CASES.filter(([, , only = compress]) => only === compress);
  test.each(cases)("%s %j", async (input, options) => {
    const plain = await plainOf(input, options);
    // Threads take longer to start than small inputs to compress.
    const threads = input === large ? 2 : 1;
    const files = { input, output, compress, force: true };
    const run = { threads, ...options, ...files };
    const report = await built.run(run);
    const bytes = readFileSync(output);
    expect(report.outputBytes).toBe(bytes.byteLength);
    expectSame(tableFromIPC(bytes), tableFromIPC(plain));

    const rows = input === large ? { sample: 500 } : { all: true };
    expect(
      await built.verify({ output, input, threads, ...rows }),
    ).toMatchObject(input === large ? { ...VERIFIED, bytes: null } : VERIFIED);

    const { maxOutputBytes, outputBytes } = await built.dryRun(run);
    expect(outputBytes).toBe(null);
    if (options.layout !== "csr" && options.layout !== "coo")
      expect(maxOutputBytes).toBeGreaterThanOrEqual(bytes.byteLength);

    if (input !== large) return;
    const isEntries = options.layout === "csr";
    const isSingle = isEntries === (compress === "lz4");
    const other = isSingle ? { threads: 1 } : { threads: 3, chunkRows: 999 };
    await built.run({ ...run, ...other });
    expect(readFileSync(output).equals(bytes)).toBe(true);
    expect(bytes.byteLength).toBeLessThan(plain.byteLength / 2);
  });

  test("buffers that do not become smaller are stored as they are", async () => {
    const input = write({ rows: 1, classes: 16, logit: (_, k) => k });
    const emit = ["softmax"] as const;
    const options = { input, output, emit, compress, force: true };
    await built.run(options);
    const bytes = readFileSync(output);
    const { maxOutputBytes } = await built.dryRun(options);
    expect(maxOutputBytes).toBeGreaterThanOrEqual(bytes.byteLength);
    const logits = Float64Array.from(upTo(16));
    const softmax = built.softmax(logits, { rows: 1, classes: 16 });
    const values = Buffer.from(softmax.buffer, 0, 64);
    const stored = Buffer.concat([Buffer.alloc(8, 0xff), values]);
    const place = bytes.indexOf(stored);
    expect(place).toBeGreaterThan(0);
    expect(place % 64).toBe(0);
    expect(tableFromIPC(bytes).getChild("row")?.toArray()).toEqual(
      BigInt64Array.of(0n),
    );
  });

  test("verify finds a changed byte, and where", async () => {
    const damaged = at("damaged.arrow");
    await built.run({ input: large, output: damaged, compress, force: true });
    const file = readFileSync(damaged);
    const middle = file.length >> 1;
    file.writeUInt8(file.readUInt8(middle) ^ 1, middle);
    writeFileSync(damaged, file);
    const outcome = softjac("verify", damaged, "-i", large, "--all");
    expect([1, 65]).toContain(outcome.status);
    expect(outcome.stdout + outcome.stderr).toMatch(/record batch [01]/);
  });
});

function expectSame(found: Table, expected: Table): void {
  const { metadata } = found.schema;
  expect(metadata.get("softjac.compress")).toMatch(/^(lz4|zstd)$/);
  metadata.delete("softjac.compress");
  const [one, other] = [found, expected].map(
    ({ schema, numRows, batches }) => ({
      fields: schema.fields.map(String),
      metadata: schema.metadata,
      numRows,
      batches: batches.map(({ data }) => data.children.map(contentsOf)),
    }),
  );
  expect(one).toEqual(other);
}

/** Returns everything that is stored of a column in a record batch. */
function contentsOf(data: Data<DataType>): object {
  const { length, nullCount, values, valueOffsets, nullBitmap } = data;
  const buffers = [values, valueOffsets, nullBitmap].map((buffer) => {
    const view = buffer as ArrayBufferView | undefined;
    if (!view) return null;
    const { buffer: memory, byteOffset, byteLength } = view;
    return new Uint8Array(memory as ArrayBuffer, byteOffset, byteLength);
  });
  const children = data.children.map(contentsOf);
  return { length, nullCount, buffers, children };
}
