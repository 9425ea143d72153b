import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Endianness } from "apache-arrow/fb/endianness";
import { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { Schema } from "apache-arrow/fb/schema";
import { Builder } from "flatbuffers";
import { describe, expect, test } from "vitest";
import { softjac } from "../cli/support.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import {
  flatSchema,
  listSchema,
  parquetFile,
} from "../support/parquet-file.js";

// Valid files without logits are described, with a reason for each column.

const at = workDirectory();
const input = at("in");
const shared = (name: string) =>
  fileURLToPath(new URL(`../input/parquet/${name}.parquet`, import.meta.url));

const ONE_NUMBER =
  "it has one number per row: --columns takes one column per class";

test("each column has a reason, and the command exits with 0", async () => {
  type Column = [name: string, type: string, value: unknown, reason: string];
  const SEVERAL = "its fields have several types: choose it with --column";
  const columns: Column[] = [
    ["id", "int32", 1, ONE_NUMBER],
    ["ok", "bool", true, ONE_NUMBER],
    ["name", "utf8", "a", "it does not hold numbers"],
    ["texts", "list<utf8>", ["a"], "its rows are not lists of numbers"],
    [
      ...(["pair", "struct<x: float64, text: utf8>"] as const),
      ...([{ x: 1, text: "a" }, "its field text is not a number"] as const),
    ],
    ["mixed", "struct<x: float64, n: int32>", { x: 1, n: 2 }, SEVERAL],
  ];
  const given = columns.map(([name, type, value]) => [
    ...[name, [[value, value], type]],
  ]);
  writeArrow(input, Object.fromEntries(given));
  expect(await built.inspect({ input })).toMatchObject({
    ...{ rows: 2, logits: null, layouts: [] },
    columns: columns.map(([name, type, , reason]) => ({ name, type, reason })),
  });
  const { stdout, stderr, status } = softjac("inspect", input);
  expect([status, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/columns +id: int32 \(it has one number per row: /);
  expect(stdout).toMatch(/logits +none: expected a column of floats in lists/);
});

const UNKNOWN = "rows: no row has logits, so the number of classes is unknown";
test.each([
  [
    "column z, row 1: expected 2 values as in the first row, found 1; pad the lists",
    ...[[1, 2], [3]],
  ],
  [
    "row 0: expected at least 1 value, found 0; write null for rows without values",
    ...[[], [3]],
  ],
  [UNKNOWN, null, null],
  [`${UNKNOWN}; fixed-size lists state it without rows`],
])("%s: no logits", async (...[reason, ...values]) => {
  const type = "list<float32>";
  writeArrow(input, { z: [values, type] });
  expect(await built.inspect({ input })).toMatchObject({
    rows: values.length,
    columns: [{ name: "z", type, reason: expect.stringContaining(reason) }],
    noLogitsReason: expect.stringContaining(`${input}: ${reason}`),
  });
  await expect(
    built.run({ input, output: at("out.arrow"), force: true }),
  ).rejects.toThrow(`${input}: ${reason}`);
});

describe("Parquet", () => {
  test("ragged lists", async () => {
    // The lists of the first row group have one length.
    const input = shared("ragged");
    const { logits, columns } = await built.inspect({ input, scan: true });
    expect(logits).toBe(null);
    expect(columns.at(-1)?.reason).toMatch("values as in the first row");
  });

  const page = (values: number) => ({
    version: 1 as const,
    values,
    repetition: [],
    definition: [2 * values, 1],
    data: Array.from({ length: values }, (_, k) => k),
  });
  const numbers = { schema: flatSchema("x"), pages: [page(2)], values: 2 };

  test("columns without logits are described by the footer", async () => {
    writeFileSync(
      input,
      parquetFile([{ ...numbers, metadata: { 4: 77, 9: 1e12 } }], { rows: 2 }),
    );
    expect(await built.inspect({ input })).toMatchObject({
      ...{ format: "parquet", compression: ["unknown"], rows: 2, batches: 1 },
      columns: [{ name: "x", type: "float64", reason: ONE_NUMBER }],
      logits: null,
    });
  });

  test("types in the footer", async () => {
    const leaf = (name: string, type: number, more: object) => ({
      ...numbers,
      schema: [{ 1: type, 3: 1, 4: name, ...more }],
    });
    const list = { ...numbers, schema: listSchema("optional") };
    const map = [
      { 3: 1, 4: "map", 5: 1, 6: 1 },
      { 3: 2, 4: "key_value", 5: 2 },
      { 1: 6, 3: 0, 4: "key", 6: 0 },
      { 1: 1, 3: 1, 4: "value" },
    ];
    const file = (columns: Parameters<typeof parquetFile>[0]) =>
      parquetFile(columns, { rows: 0 });
    const columns = [
      leaf("bool", 0, {}),
      leaf("time96", 3, {}),
      leaf("u8", 1, { 6: 11 }),
      leaf("i64", 2, { 6: 18 }),
      leaf("text", 6, { 10: { 1: {} } }),
      leaf("day", 1, { 6: 6 }),
      leaf("money", 1, { 6: 5, 7: 2, 8: 9 }),
      leaf("half", 7, { 2: 2, 10: { 15: {} } }),
      leaf("uuid", 7, { 2: 16, 10: { 14: {} } }),
      list,
      { ...numbers, schema: [{ 1: 5, 3: 2, 4: "repeated" }] },
    ];
    writeFileSync(input, file(columns));
    const found = await built.inspect({ input });
    expect(found.columns.map(({ type }) => type)).toEqual([
      ...["bool", "timestamp", "uint8", "int64", "utf8", "date"],
      ...["decimal", "float16", "fixed_size_binary[16]", "list<float64>"],
      "list<float64>",
    ]);
    // The writer has one column chunk for each column, and a map has two leaves.
    writeFileSync(input, file([{ ...numbers, schema: map }]));
    await expect(built.inspect({ input })).rejects.toThrow(
      "footer: invalid metadata: row group 0 has 1 columns, the schema 2; copy or write the file again",
    );
  });

  test("only a scan decodes all row groups", async () => {
    const bytes = readFileSync(shared("pyarrow-small"));
    writeFileSync(input, bytes);
    const whole = await built.inspect({ input, scan: true });
    // The levels of a page of the last row group, which has the last bytes before the footer.
    const footerBytes = bytes.readUInt32LE(bytes.length - 8);
    const footerStart = bytes.length - 8 - footerBytes;
    bytes.fill(0xff, footerStart - 450, footerStart);
    writeFileSync(input, bytes);
    const first = await built.inspect({ input });
    expect(first).toMatchObject({ rows: 60, logits: { classes: 4 } });
    const sizes = ({ layouts }: typeof first) =>
      layouts.filter(({ exact }) => exact).map(({ bytes }) => bytes);
    expect(sizes(first)).toEqual(sizes(whole));
    await expect(built.inspect({ input, scan: true })).rejects.toMatchObject({
      code: "ERR_INPUT_FORMAT",
    });
  });
});

test("a big-endian Arrow stream", async () => {
  const builder = new Builder();
  const fields = Schema.createFieldsVector(builder, []);
  Schema.startSchema(builder);
  Schema.addEndianness(builder, Endianness.Big);
  Schema.addFields(builder, fields);
  const schema = Schema.endSchema(builder);
  Message.startMessage(builder);
  Message.addVersion(builder, 4);
  Message.addHeaderType(builder, MessageHeader.Schema);
  Message.addHeader(builder, schema);
  Message.finishMessageBuffer(builder, Message.endMessage(builder));
  const message = builder.asUint8Array();
  const prefix = Buffer.from(Int32Array.of(-1, message.length).buffer);
  const end = Buffer.from(Int32Array.of(-1, 0).buffer);
  writeFileSync(input, Buffer.concat([prefix, message, end]));
  const reason = `${input}: schema: expected little-endian data, found big-endian; read the file with pyarrow and write it again`;
  expect(await built.inspect({ input })).toMatchObject({
    ...{ rows: 0, logits: null, columns: [], noLogitsReason: reason },
  });
  await expect(
    built.run({ input, output: at("out.arrow"), force: true }),
  ).rejects.toMatchObject({ code: "ERR_INPUT_UNSUPPORTED", message: reason });
});
