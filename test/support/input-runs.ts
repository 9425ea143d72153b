import { readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { LogitsEvent } from "../../src/options/hooks.js";
import { arrowOf, type Columns } from "./arrow-columns.js";
import { built } from "./built.js";
import { CLEAR_MESSAGE } from "./clear-message.mjs";
import { workDirectory } from "./logits-input.js";
import { outputOf } from "./runs.js";

export type Options = Partial<Parameters<typeof built.run>[0]>;

/** Row of logits; null logits and null rows are null. */
export type Row = (number | null)[] | null;

/** Returns the rows of a text such as `1 2; 3 null; null`; the last of these rows is null. */
export function rows<T = number[]>(text: string): T[] {
  const parse = (word: string) => (word === "null" ? null : Number(word));
  return text.split(";").map((row) => {
    const words = row.match(/\S+/g) ?? [];
    return (words.join() === "null" ? null : words.map(parse)) as T;
  });
}

/** Returns the softmax of a row to `digits` digits; a null masks its class. */
export function softmaxOf(row: readonly (number | null)[], digits = 12) {
  const e = row.map((x) => (x === null ? 0 : Math.exp(x)));
  const sum = e.reduce((a, b) => a + b, 0);
  return e.map((x) => (x === 0 ? 0 : near(x / sum, digits)));
}

/** Matches a number to `digits` digits. */
export function near(value: number, digits = 12): number {
  return expect.closeTo(value, digits) as number;
}

/** Replaces bytes that occur in a file, and returns the file. */
export function patched(
  file: Buffer,
  from: ArrayBufferView | string,
  to: ArrayBufferView | string,
): Buffer {
  const [old, bytes] = [from, to].map((part) =>
    typeof part === "string"
      ? Buffer.from(part)
      : Buffer.from(part.buffer, part.byteOffset, part.byteLength),
  ) as [Buffer, Buffer];
  const place = file.indexOf(old);
  expect(place).toBeGreaterThan(0);
  expect(bytes).toHaveLength(old.length);
  file.set(bytes, place);
  return file;
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

const INPUT_ERRORS = [
  "ERR_INPUT_FORMAT",
  "ERR_INPUT_UNSUPPORTED",
  "ERR_LOGITS_COLUMN",
  "ERR_BAD_ROW",
  "ERR_RAGGED_ROW",
];

/** Returns the code of an error that must explain what is wrong with an input. */
export function inputErrorCode(error: unknown): string {
  const { code = "none", message, stack } = error as NodeJS.ErrnoException;
  expect(INPUT_ERRORS, stack).toContain(code);
  expect(message).toMatch(CLEAR_MESSAGE);
  return code;
}

/** Returns an input and an output in a directory of their own, and functions that run on them. */
export function inputRuns() {
  const at = workDirectory();
  const [input, output] = [at("in"), at("out.arrow")];

  /** Writes the input: bytes, or columns in record batches of `batchRows`. */
  const write = (file: Columns | Uint8Array | string, batchRows?: number) => {
    const isBytes = typeof file === "string" || ArrayBuffer.isView(file);
    const form = batchRows === undefined ? {} : { batchRows };
    const bytes = isBytes ? Buffer.from(file) : arrowOf(file, form);
    writeFileSync(input, bytes);
    return bytes;
  };

  /** Runs, and returns the report, the events and the columns of the output. */
  const run = async (options: Options = {}) => {
    const events: LogitsEvent[] = [];
    const report = await built.run(
      { input, output, force: true, ...options },
      { onEvent: (event) => events.push(event) },
    );
    const warnings = events.flatMap((event) =>
      event.event === "warning" ? [event.message] : [],
    );
    return Object.assign(outputOf(output), { report, events, warnings });
  };

  /** Runs, and compares every row and byte with a second computation. */
  const verified = async (options: Options = {}) => {
    const made = await run(options);
    const report = await built.verify({
      input,
      ...(options.input !== undefined && { input: options.input }),
      output,
      all: true,
    });
    expect(report).toMatchObject({ ok: true, problems: [] });
    return made;
  };

  /** Returns the path of a file that is given by its path or its bytes. */
  const pathOf = (file: Uint8Array | string) => {
    if (typeof file !== "string") write(file);
    return typeof file === "string" ? file : input;
  };

  /** Returns the table of a verified run. */
  const tableOf = async (file: Uint8Array | string, options: object = {}) =>
    (await verified({ input: pathOf(file), ...options })).table;

  /** Returns the values of a column of a verified run. */
  const valuesOf = async (
    file: Uint8Array | string,
    column: string,
    options: object = {},
  ): Promise<unknown[]> =>
    (await verified({ input: pathOf(file), ...options })).column(column);

  /** Returns the code and the message of a refused run, with `file` for the path of the input. */
  const refusal = async (file: Uint8Array | string, options: object = {}) => {
    const path = pathOf(file);
    const files = readdirSync(at("."));
    const error = await built
      .run({ input: path, ...options, output: at("none.arrow") })
      .then(
        () => expect.unreachable("the input was read"),
        (error) => error,
      );
    expect(error).toBeInstanceOf(built.SoftjacError);
    expect(readdirSync(at("."))).toEqual(files);
    return `${error.code} ${error.message.replace(path, "file")}`;
  };

  /** Expects that a run fails with the message, which follows the path, and publishes nothing. */
  const refused = async (
    options: Options,
    message: string,
    code: unknown = expect.any(String),
  ) => {
    const { input: path = input, ...others } = options;
    const [, found, text] =
      /^(\S+) (.*)$/s.exec(await refusal(path, others)) ?? [];
    expect({ code: found, message: text }).toEqual({
      code,
      message: `file: ${message}`,
    });
  };

  return {
    ...{ at, input, output, write, run },
    ...{ verified, tableOf, valuesOf, refusal, refused },
  };
}
