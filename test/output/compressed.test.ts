import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
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
import { CLI, DIGITS, softjac, typed } from "../cli/support.js";
import { built } from "../support/built.js";
import { KEPT, writeKept } from "../support/kept-input.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// `--compress`: read by arrow-js with decoders that are not those that the project reads with, and by the project itself,
// which refuses a length in front of a buffer that is not what its type needs.

const at = workDirectory();
const CODECS = ["lz4", "zstd"] as const;
const kept = at("kept.arrow");
writeKept(kept, 20);
const bad = at("bad.arrow");
writeLogits(bad, {
  rows: 400,
  classes: 6,
  batchRows: [90],
  logit: (r, k) => (r % 97 === 5 ? Number.NaN : Math.sin(r * k) * 9),
});
/** Blocks of 8 MiB in a batch, of which LZ4 makes blocks of 4 MiB: every row three times, and then zeros. */
const large = at("large.arrow");
writeLogits(large, {
  rows: 10_000,
  classes: 10,
  batchRows: [5500],
  logit: (r, k) =>
    r < 6000 ? ((Math.floor(r / 3) * 31 + k * 17) % 1009) / 99 : 900 * k,
});
const empty = at("empty.arrow");
writeLogits(empty, { rows: 0, classes: 3, logit: () => 0 });

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

const CASES: [input: string, options: Record<string, unknown>][] = [
  [DIGITS, {}],
  [DIGITS, { layout: "packed", dtype: "float64" }],
  [DIGITS, { layout: "factored" }],
  [DIGITS, { layout: "csr", threshold: 1e-3, threads: 2 }],
  [DIGITS, { layout: "coo" }],
  [kept, { keep: Object.keys(KEPT) }],
  [kept, { keep: ["name", "kind"], layout: "csr" }],
  [kept, { layout: "dense" }],
  [bad, { onBadRow: "null" }],
  [bad, { onBadRow: "skip" }],
  [bad, { onBadRow: "skip", layout: "coo" }],
  [large, { threads: 2 }],
  [large, { layout: "csr", threads: 2 }],
  [empty, {}],
  [empty, { layout: "coo" }],
];

/** Uncompressed outputs, which both codecs share. */
const plainBytes = new Map<object, Promise<Buffer>>();
function plainOf(
  input: string,
  options: Record<string, unknown>,
): Promise<Buffer> {
  const known = plainBytes.get(options);
  if (known) return known;
  const output = at(`plain-${plainBytes.size}.arrow`);
  const bytes = built
    .run({ ...options, input, output })
    .then(() => readFileSync(output));
  plainBytes.set(options, bytes);
  return bytes;
}

describe.each(CODECS)("%s", (compress) => {
  /** The large input's results, as the first test that reads them makes them. */
  const largeResults = at(`large-${compress}.arrow`);
  async function largeBytes(): Promise<Buffer> {
    if (!existsSync(largeResults))
      await built.run({ input: large, output: largeResults, compress });
    return readFileSync(largeResults);
  }

  test.each(CASES)("%s %j", async (input, options) => {
    const plain = await plainOf(input, options);
    // Threads take longer to start than small inputs to compress.
    const threads = input === large ? 2 : 1;
    const output = at("compressed.arrow");
    const run = {
      ...{ threads, ...options },
      ...{ input, output, compress, force: true },
    };
    const report = await built.run(run);
    const bytes = readFileSync(output);
    expect(report.outputBytes).toBe(bytes.byteLength);
    expectSame(tableFromIPC(bytes), tableFromIPC(plain));

    const verified = await built.verify({
      output,
      input,
      threads,
      ...(input === large ? { sample: 500 } : { all: true }),
    });
    expect(verified.problems).toEqual([]);
    expect(verified.ok).toBe(true);
    expect(verified.bytes).toEqual(
      input === large ? null : { compared: true, message: null },
    );

    const { maxOutputBytes, outputBytes } = await built.dryRun(run);
    expect(outputBytes).toBe(null);
    if (options.layout !== "csr" && options.layout !== "coo")
      expect(maxOutputBytes).toBeGreaterThanOrEqual(bytes.byteLength);

    if (input !== large) return;
    const isEntries = options.layout === "csr";
    const other =
      isEntries === (compress === "lz4")
        ? { threads: 1 }
        : { threads: 3, chunkRows: 999 };
    await built.run({ ...run, ...other });
    expect(readFileSync(output).equals(bytes)).toBe(true);
    expect(bytes.byteLength).toBeLessThan(plain.byteLength / 2);
  });

  test("what gets no smaller is stored as it is", async () => {
    const output = at(`stored-${compress}.arrow`);
    const input = at("random.arrow");
    writeLogits(input, { rows: 1, classes: 16, logit: (_, k) => k });
    const emit = ["softmax"] as const;
    await built.run({ input, output, emit, compress });
    const bytes = readFileSync(output);
    const stored = Buffer.alloc(8, 0xff);
    const softmax = built.softmax(
      tableFromIPC(readFileSync(input)).getChild("logits")?.data[0]?.children[0]
        ?.values as Float64Array,
      { rows: 1, classes: 16 },
    );
    const place = bytes.indexOf(
      Buffer.concat([stored, Buffer.from(softmax.buffer, 0, 64)]),
    );
    expect(place).toBeGreaterThan(0);
    expect(place % 64).toBe(0);
    expect(tableFromIPC(bytes).getChild("row")?.toArray()).toEqual(
      BigInt64Array.of(0n),
    );
  });

  test("as a stream, which has the messages of the file", async () => {
    const file = await largeBytes();
    const { status, stdout } = spawnSync(
      process.execPath,
      [CLI, "run", large, "-o", "-", "--compress", compress],
      { maxBuffer: 2 ** 30 },
    );
    expect(status).toBe(0);
    const footerBytes = file.readInt32LE(file.length - 10);
    const inside = file.subarray(8, file.length - 10 - footerBytes);
    expect(stdout.equals(inside)).toBe(true);
  });

  test("a byte that is another is found, and where", async () => {
    const output = at("damaged.arrow");
    const file = await largeBytes();
    const middle = file.length >> 1;
    file[middle] = (file[middle] as number) ^ 1;
    writeFileSync(output, file);
    const outcome = softjac("verify", output, "-i", large, "--all");
    expect([1, 65]).toContain(outcome.status);
    expect(outcome.stdout + outcome.stderr).toMatch(/record batch [01]/);
  });

  test("aborted: nothing is left", async () => {
    const output = at("aborted.arrow");
    const controller = new AbortController();
    await expect(
      built.run(
        { input: large, output, compress },
        { signal: controller.signal, onProgress: () => controller.abort() },
      ),
    ).rejects.toMatchObject({ code: "ERR_ABORTED" });
    const left = readdirSync(dirname(output));
    expect(left.filter((name) => name.includes("aborted"))).toEqual([]);
  });
});

test("another codec is refused", () => {
  const { status, stderr } = typed`run ${DIGITS} -o ${at("never.arrow")}
    --compress gzip`;
  expect(status).toBe(64);
  expect(stderr).toBe(
    'softjac: --compress: expected one of lz4, zstd, found "gzip"\n',
  );
});

function expectSame(found: Table, expected: Table): void {
  expect(found.schema.fields.map(String)).toEqual(
    expected.schema.fields.map(String),
  );
  const { metadata } = found.schema;
  expect(metadata.get("softjac.compress")).toMatch(/^(lz4|zstd)$/);
  metadata.delete("softjac.compress");
  expect(metadata).toEqual(expected.schema.metadata);
  expect(found.numRows).toBe(expected.numRows);
  expect(found.batches.length).toBe(expected.batches.length);
  for (const [k, batch] of found.batches.entries()) {
    const other = expected.batches[k];
    batch.data.children.forEach((column, n) => {
      expectSameData(column, other?.data.children[n] as Column);
    });
  }
}

type Column = Data<DataType>;

function expectSameData(found: Column, expected: Column): void {
  expect(found.length).toBe(expected.length);
  expect(found.nullCount).toBe(expected.nullCount);
  for (const name of ["values", "valueOffsets", "nullBitmap"] as const) {
    const theirs = expected[name] as ArrayBufferView | undefined;
    const ours = found[name] as ArrayBufferView | undefined;
    expect(ours?.byteLength, name).toBe(theirs?.byteLength);
    if (ours && theirs)
      expect(bytesOf(ours).equals(bytesOf(theirs)), name).toBe(true);
  }
  found.children.forEach((child, k) => {
    expectSameData(child, expected.children[k] as Column);
  });
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
