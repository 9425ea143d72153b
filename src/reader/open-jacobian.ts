import { InputFormatError, UsageError } from "../errors.js";
import { interpreting } from "../input/interpreting.js";
import type { ArrowContainer } from "../input/record-batches.js";
import {
  type CheckedOption,
  checkObject,
  checkPath,
  checkValue,
} from "../options/check-options.js";
import { shortName, shortValue } from "../printable.js";
import { LAYOUTS, type Layout, MAX_CLASSES } from "../results/catalogue.js";
import { keyCount } from "../results/row-axes.js";
import {
  decodeRunMetadata,
  type RunMetadata,
} from "../results/run-metadata.js";
import {
  BLOCK_RESULTS,
  type BlockMetadata,
  type BlockResult,
  selectBlockColumns,
} from "./block-columns.js";
import { blockFormat } from "./block-format.js";
import { type FileBytes, openFileBytes } from "./byte-source.js";
import { JacobianReader } from "./jacobian-reader.js";
import { StoredTable } from "./stored-table.js";

/** Options of `openJacobian`: facts that files of other tools do not record. */
export interface OpenJacobianOptions {
  /** Number of classes Q; required if the file does not record it. */
  classes?: number;
  /** Layout; required for bsr, packed and dense if the file does not record it. */
  layout?: Layout;
  /** Number of rows M of the logits; default: the last row number plus 1. */
  rows?: number;
  /** Temperature T that `factored` columns were computed with; default: 1. */
  temperature?: number;
  /** Function whose block is read if the file has both; default: jacobian. */
  result?: BlockResult;
}

const OPTIONS: readonly CheckedOption[] = [
  { name: "classes", kind: "integer", range: [1, MAX_CLASSES] },
  { name: "layout", kind: "string", choices: LAYOUTS },
  { name: "rows", kind: "integer" },
  { name: "temperature", kind: "number", range: [1e-100, 1e100] },
  { name: "result", kind: "string", choices: BLOCK_RESULTS },
];

/**
 * Opens an output of any layout to read its Jacobian blocks: a file that `run` wrote, or an Arrow IPC file or stream of
 * another tool with the same columns (docs/library.md). Validates the metadata of the file and its record batches; reads
 * results only on request. A compressed file is decompressed first.
 *
 * @param options facts that files of other tools do not record
 * @throws InputMissingError, PermissionError, InputFormatError, InputUnsupportedError, IoError; UsageError for options
 * that are invalid, missing or contradict the file
 */
export function openJacobian(
  path: string,
  options: OpenJacobianOptions = {},
): Promise<JacobianReader> {
  return interpreting(path, "structure", () => open(path, options));
}

async function open(
  path: string,
  options: OpenJacobianOptions,
): Promise<JacobianReader> {
  checkPath("path", path);
  checkObject("options", options);
  const bytes = await openFileBytes(path);
  try {
    return await readerOf(bytes, options);
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

export async function readerOf(
  bytes: FileBytes,
  options: OpenJacobianOptions,
): Promise<JacobianReader> {
  const { file } = bytes;
  const { path } = file;
  const { fields } = file.schema;
  const metadata = withOptions(file, options);
  const columns = selectBlockColumns(path, fields, metadata);
  const isCoo = columns.layout === "coo";
  const table = new StoredTable(bytes, columns, columns.parts, isCoo);
  const { rowShape, threshold = null } = metadata;
  const stated = rowShape ? keyCount(rowShape) : metadata.rows;
  const { last } = await table.ends();
  if (stated !== undefined && last >= stated)
    throw new InputFormatError(
      path,
      "column row",
      `expected row numbers below ${stated} (from softjac.rows or the option), found ${last}`,
    );
  const end = stated ?? last + 1;
  const rows = metadata.rows ?? end;
  const format = blockFormat(path, fields, columns, metadata, rows);
  // Ragged lists leave gaps between the keys, and the file does not list these gaps.
  if (rows !== end) Object.assign(format, { rowStart: 0, rowEnd: end });
  const close = () => bytes.close();
  return new JacobianReader(path, threshold, format, table, close);
}

/**
 * Merges the options with the metadata of the file.
 * @throws UsageError for an option that is unknown, invalid, or contradicts the metadata
 */
function withOptions(
  { path, schema }: ArrowContainer,
  options: OpenJacobianOptions,
): BlockMetadata {
  const metadata = decodeRunMetadata(path, schema.metadata);
  for (const [name, value] of Object.entries(options)) {
    const spec = OPTIONS.find((option) => option.name === name);
    if (!spec)
      throw new UsageError(
        `unknown option ${shortName(name)}; the options are ${OPTIONS.map(({ name }) => name).join(", ")}`,
        name,
      );
    checkValue(spec, value);
    const stated = metadata[name as keyof RunMetadata];
    if (value !== undefined && stated !== undefined && stated !== value)
      throw new UsageError(
        `${name}: expected ${stated} as in softjac.${name} of ${path}, found ${shortValue(value)}`,
        name,
      );
  }
  const given = Object.entries(options).filter(([, v]) => v !== undefined);
  return { ...metadata, ...Object.fromEntries(given) };
}
