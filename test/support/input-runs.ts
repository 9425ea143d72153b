import { existsSync, writeFileSync } from "node:fs";
import { expect } from "vitest";
import { built } from "./built.js";
import { CLEAR_MESSAGE } from "./clear-message.mjs";
import { workDirectory } from "./logits-input.js";
import { verifiedRun } from "./verified-run.js";

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

/** Runs on input files, given as bytes or by path. */
export function inputRuns() {
  const at = workDirectory();
  const input = at("in");
  const output = at("out.arrow");

  function pathOf(file: Uint8Array | string): string {
    if (typeof file === "string") return file;
    writeFileSync(input, file);
    return input;
  }

  /** Runs, verifies every row and returns the table. */
  async function tableOf(file: Uint8Array | string, options: object = {}) {
    return verifiedRun({ input: pathOf(file), output, ...options });
  }

  /** Returns the values of a column of the output of a verified run. */
  async function valuesOf(
    file: Uint8Array | string,
    column: string,
    options: object = {},
  ): Promise<unknown[]> {
    const table = await tableOf(file, options);
    return [...table.getChild(column)].map((value) =>
      ArrayBuffer.isView(value) ? [...(value as Float64Array)] : value,
    );
  }

  /** Returns the code and the message of a refused run, with `file` for the path of the input. */
  async function refusal(
    file: Uint8Array | string,
    options: object = {},
  ): Promise<string> {
    const path = pathOf(file);
    const none = at("none.arrow");
    const error = await built
      .run({ input: path, output: none, ...options })
      .then(
        () => expect.unreachable("the input was read"),
        (error) => error,
      );
    expect(error).toBeInstanceOf(built.SoftjacError);
    expect(existsSync(none)).toBe(false);
    return `${error.code} ${error.message.replace(path, "file")}`;
  }

  return { at, input, output, tableOf, valuesOf, refusal };
}
