import { writeFileSync } from "node:fs";
import { Field, Float64, Struct } from "apache-arrow";
import { expect, test } from "vitest";
import { repeatedKey } from "../../src/input/repeated-key.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { flatSchema, parquetFile } from "../support/parquet-file.js";
import { writeResults } from "../support/results-file.js";

// Two columns, fields or keys of one name: which one is meant, nobody can tell.

const at = workDirectory();
const input = at("in");

function refused(
  options: object,
  code: string,
  message: string,
): Promise<unknown> {
  const call = built.run({ input, output: at("out.arrow"), ...options });
  return expect(call).rejects.toMatchObject({
    code,
    message: `${input}: ${message}`,
  });
}

const columnsTwice = [
  { columns: "l_*" },
  "ERR_LOGITS_COLUMN",
  "--columns l_*: two columns are named l_1; give each class a name of its own",
] as const;

test("columns of an Arrow file that a pattern matches", async () => {
  writeResults(input, {
    columns: ["l_0", "l_1", "l_1"].map((name, k) => [
      name,
      new Float64(),
      [k, 2 * k],
    ]),
  });
  await refused(...columnsTwice);
});

test("columns of a Parquet file that a pattern matches", async () => {
  const page = {
    version: 1 as const,
    values: 2,
    repetition: [],
    definition: [4, 1],
    data: [1, 2],
  };
  const columns = ["l_0", "l_1", "l_1"].map((name) => ({
    schema: flatSchema(name),
    pages: [page],
    values: 2,
  }));
  writeFileSync(input, parquetFile(columns, { rows: 2 }));
  await refused(...columnsTwice);
});

test("fields of a struct", async () => {
  const fields = ["a", "b", "a"].map((name) => new Field(name, new Float64()));
  writeResults(input, {
    columns: [["z", new Struct(fields), [{ a: 0, b: 1 }]]],
  });
  await refused(
    {},
    "ERR_LOGITS_COLUMN",
    "two fields of column z are named a; give each class a name of its own",
  );
});

test.each([
  ["a tensor", '{"a":T,"b":T,"a":T}', "a"],
  ["a tensor, written in another way", '{"a":T,"\\u0061":T}', "a"],
  ["a length", '{"a":{"dtype":"F64","shape":[1],"shape":[1,2]}}', "shape"],
])("keys of a safetensors header: %s", async (_, template, key) => {
  const tensor = '{"dtype":"F64","shape":[1,2],"data_offsets":[0,16]}';
  const header = Buffer.from(template.replaceAll("T", tensor));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(input, Buffer.concat([length, header, Buffer.alloc(16)]));
  await refused(
    { column: "a" },
    "ERR_INPUT_FORMAT",
    `header: the key ${key} appears twice`,
  );
});

test.each([
  ['{"a":{"a":"a"},"b":["a",{"a":1},{"a":":"}],"c":"{\\"c\\":1}"}', null],
  ['"a:b"', null],
  ["[]", null],
  ['{"__proto__":1,"constructor":2}', null],
  ['{"a\\\\":1,"b":"\\\\","a\\\\":2}', "a\\"],
  ['[{"x":[{"":1, "" :2}]}]', ""],
])("a repeated key of %s: %j", (json, key) => {
  expect(JSON.parse(json)).toBeDefined();
  expect(repeatedKey(json)).toBe(key);
});
