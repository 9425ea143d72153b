import {
  InputFormatError,
  InputUnsupportedError,
  UsageError,
} from "../errors.js";
import { interpreting } from "../input/interpreting.js";
import {
  checkObject,
  checkPath,
  checkValue,
} from "../options/check-options.js";
import { shortName } from "../printable.js";
import { isJacobian, type Layout } from "../results/catalogue.js";
import { keyCount, nameOfKey } from "../results/row-axes.js";
import { readStoredRun, type StoredRun } from "../results/run-metadata.js";
import { type FileBytes, openFileBytes } from "./byte-source.js";
import { type JacobianReader, newReader } from "./jacobian-reader.js";
import { expectedColumns, type OutputColumn } from "./output-columns.js";
import type { BlockResult } from "./read-block.js";
import { openStoredRows, type StoredRows } from "./stored-rows.js";

/** Options of `openJacobian`. */
export interface OpenJacobianOptions {
  /** Function whose block is read if the output has both; default: jacobian. */
  result?: BlockResult;
}

/**
 * Opens an output of any layout to read its Jacobian blocks. Validates the metadata of the file and its record batches;
 * reads results only on request. A compressed file is decompressed first.
 *
 * @throws InputMissingError, PermissionError, InputFormatError, IoError; InputUnsupportedError for an output without blocks;
 * UsageError for an invalid option
 */
export function openJacobian(
  path: string,
  options: OpenJacobianOptions = {},
): Promise<JacobianReader> {
  return interpreting(path, "structure", async () => {
    checkPath("path", path);
    checkObject("options", options);
    const choices = ["jacobian", "log_jacobian"];
    checkValue({ name: "result", kind: "string", choices }, options.result);
    const unknown = Object.keys(options).find((name) => name !== "result");
    if (unknown !== undefined)
      throw new UsageError(
        `unknown option ${shortName(unknown)}; the only option is result, because outputs of softjac record everything else`,
        unknown,
      );
    const bytes = await openFileBytes(path);
    try {
      return await readerOf(bytes, options.result);
    } catch (error) {
      await bytes.close();
      throw error;
    }
  });
}

export async function readerOf(
  bytes: FileBytes,
  chosen: BlockResult | undefined,
): Promise<JacobianReader> {
  const { path, schema } = bytes.file;
  const run = readStoredRun(path, schema.metadata);
  const result = blockResult(path, run, chosen);
  const all = expectedColumns(run, []);
  const columns = (PARTS[run.layout] ?? [result]).map(
    (part) => all.find(({ name }) => name === part) as OutputColumn,
  );
  const stored = openOutputRows(bytes, run, columns);
  const end = run.rowShape ? keyCount(run.rowShape) : run.rows;
  const { last } = await stored.table.ends();
  if (last >= end)
    throw new InputFormatError(
      path,
      "column row",
      `expected row numbers below ${end} (from softjac.rows), found ${last}`,
    );
  // Ragged lists leave gaps between the keys, and the file does not list these gaps.
  const range = run.rows === end ? {} : { rowStart: 0, rowEnd: end };
  const format = { ...run, ...range, result };
  return newReader(path, format, stored, () => bytes.close());
}

function blockResult(
  path: string,
  { layout, emit }: StoredRun,
  chosen: BlockResult | undefined,
): BlockResult {
  const stored = emit.filter(isJacobian);
  const [first] = stored;
  if (!first)
    throw new InputUnsupportedError(
      path,
      "metadata",
      `the output has no blocks, only ${emit.join(", ")}; softjac run --emit jacobian writes them`,
    );
  // The factors determine both blocks.
  const has = (name: BlockResult) =>
    layout === "factored" || stored.includes(name);
  if (chosen !== undefined && !has(chosen))
    throw new UsageError(`result: ${path} has no result ${chosen}`);
  return chosen ?? (stored.includes("jacobian") ? "jacobian" : first);
}

/** Columns of blocks; absent for bsr, packed and dense, which have one column of lists, named after the result. */
const PARTS: Partial<Record<Layout, string[]>> = {
  csr: ["indices", "values"],
  coo: ["i", "j", "value"],
  factored: ["softmax", "argmax", "tail"],
};

/** Variant of `openStoredRows` that rejects every problem. */
export function openOutputRows(
  bytes: FileBytes,
  run: StoredRun,
  expected: readonly OutputColumn[],
): StoredRows {
  const reject = (where: string, text: string) => {
    throw new InputFormatError(bytes.file.path, where, text);
  };
  const inner = run.rowShape?.slice(1) ?? [];
  return openStoredRows(bytes, {
    ...{ run, expected },
    onProblem: (text) => reject("schema", text),
    onDifference: (row, text) => reject(nameOfKey(inner, row), text),
  }) as StoredRows;
}
