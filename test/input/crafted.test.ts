import { readFileSync, writeFileSync } from "node:fs";
import { float64, list, tableFromArrays, tableToIPC } from "@uwdata/flechette";
import { Bool } from "apache-arrow/fb/bool";
import { Field } from "apache-arrow/fb/field";
import { Footer } from "apache-arrow/fb/footer";
import { Schema } from "apache-arrow/fb/schema";
import { Builder } from "flatbuffers";
import { expect, test } from "vitest";
import { decodeThrift, MalformedThrift } from "../../src/io/thrift.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

test("many fields that share one long name: refused at once, not expanded", async () => {
  const builder = new Builder(1024);
  const name = builder.createString("x".repeat(100_000));
  Bool.startBool(builder);
  const type = Bool.endBool(builder);
  Field.startField(builder);
  Field.addName(builder, name);
  Field.addTypeType(builder, 6);
  Field.addType(builder, type);
  const field = Field.endField(builder);
  const fields = Schema.createFieldsVector(builder, Array(20_000).fill(field));
  Schema.startSchema(builder);
  Schema.addFields(builder, fields);
  const schema = Schema.endSchema(builder);
  Footer.startFooter(builder);
  Footer.addVersion(builder, 4);
  Footer.addSchema(builder, schema);
  Footer.finishFooterBuffer(builder, Footer.endFooter(builder));
  const footer = builder.asUint8Array();
  const tail = Buffer.alloc(10);
  tail.writeInt32LE(footer.length, 0);
  tail.write("ARROW1", 4);
  const input = at("bomb.arrow");
  writeFileSync(
    input,
    Buffer.concat([Buffer.from("ARROW1\0\0"), footer, tail]),
  );
  await expect(built.run({ input, output: at("out") })).rejects.toMatchObject({
    code: "ERR_INPUT_FORMAT",
    message: `${input}: footer: invalid metadata: tables or strings are shared too often`,
  });
});

test("a first list that claims more values than there are is refused before anything is sized by it", async () => {
  const input = at("lists.arrow");
  const values = Array.from({ length: 4 }, () => [1, 2, 3]);
  const table = tableFromArrays({ logits: values }, {
    types: { logits: list(float64()) },
  } as never);
  writeFileSync(input, tableToIPC(table, { format: "file" }) as Uint8Array);
  await built.run({ input, output: at("lists out") });
  const bytes = readFileSync(input);
  const offsets = Buffer.from(Int32Array.of(0, 3, 6, 9, 12).buffer);
  const place = bytes.indexOf(offsets);
  expect(place).toBeGreaterThan(0);
  bytes.writeInt32LE(2 ** 30, place + 4);
  writeFileSync(input, bytes);
  await expect(built.run({ input, output: at("none") })).rejects.toMatchObject({
    code: "ERR_INPUT_FORMAT",
    message: `${input}: row 0: expected 1 to 12 logits, found ${2 ** 30}`,
  });
});

test.each<[type: number, read: "integer" | "text"]>([
  [4, "integer"],
  [7, "integer"],
  [8, "integer"],
  [12, "integer"],
  [5, "text"],
])("a field of Parquet metadata of type %i, read as %s", (type, read) => {
  const bytes = Uint8Array.of(0x10 | type, 2, 0, 0, 0);
  expect(() => decodeThrift(bytes, { 1: ["field", read] })).toThrow(
    new MalformedThrift(`a value of type ${type}`),
  );
});

test("a Parquet footer of structs nested a million deep", async () => {
  const nested = Buffer.alloc(1_000_000, 0x1c);
  // A field that is not read, as those inside it.
  nested[0] = 0x9c;
  expect(() => decodeThrift(nested, {})).toThrow(
    new MalformedThrift("structs nested more than 32 deep"),
  );
  const tail = Buffer.alloc(8, "\0\0\0\0PAR1");
  tail.writeUInt32LE(nested.length);
  const input = at("nested.parquet");
  writeFileSync(input, Buffer.concat([Buffer.from("PAR1"), nested, tail]));
  await expect(built.run({ input, output: at("out") })).rejects.toMatchObject({
    code: "ERR_INPUT_FORMAT",
    message: `${input}: footer: invalid metadata: structs nested more than 32 deep; copy or write the file again`,
  });
});
