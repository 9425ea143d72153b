import type { Field } from "../arrow/field.js";
import { checkObject, checkPath } from "../check-options.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { openPlainArrow } from "../input/compression/open-plain.js";
import { interpreting } from "../input/interpreting.js";
import { keyCount } from "../results/row-axes.js";
import { decodeRunMetadata } from "../results/run-metadata.js";
import { selectBlockColumns } from "./block-columns.js";
import { blockForm } from "./block-form.js";
import { FileBytes } from "./byte-source.js";
import { JacobianReader } from "./jacobian-reader.js";
import { type OpenJacobianOptions, withOptions } from "./reader-options.js";
import { StoredBlocks } from "./stored-blocks.js";
import { StoredTable } from "./stored-table.js";

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
  const file = await openPlainArrow(path);
  const bytes = new FileBytes(file);
  try {
    const { fields, metadata } = file.schema;
    const known = withOptions(path, decodeRunMetadata(path, metadata), options);
    const columns = selectBlockColumns(path, fields, known);
    const isCoo = columns.form === "coo";
    const table = new StoredTable(file, bytes, columns, columns.parts, isCoo);
    const tensor = tensorShape(path, fields[columns.parts[0]?.columns[0] ?? 0]);
    const { rowShape, threshold = null } = known;
    const end = await endOfRows(
      path,
      table,
      (rowShape && keyCount(rowShape)) ??
        known.rows ??
        (tensor?.length === 3 ? tensor[1] : undefined),
    );
    const rows = known.rows ?? end;
    const facts = { path, fields, columns, table, tensor, known };
    const form = await blockForm(facts, rows);
    // Keys of rows of ragged lists have gaps, which the file does not list.
    if (rows !== end) Object.assign(form, { rowStart: 0, rowEnd: end });
    const count = isCoo ? form.rowEnd - form.rowStart : table.count;
    const close = () => bytes.close();
    return new JacobianReader(new StoredBlocks(path, form, table), {
      path,
      count,
      threshold,
      close,
    });
  } catch (error) {
    await bytes.close();
    throw error;
  }
}

/**
 * Returns the end of the row numbers: as stated, else the last plus 1.
 * @throws InputFormatError if the row numbers contradict it or each other
 */
async function endOfRows(
  path: string,
  table: StoredTable,
  stated: number | undefined,
): Promise<number> {
  const { last } = await table.ends();
  if (stated !== undefined && last >= stated)
    throw new InputFormatError(
      path,
      "column row",
      `expected row numbers below ${stated} (from softjac.rows or the option), found ${last}`,
    );
  return stated ?? last + 1;
}

/**
 * Returns the shape that a column declares as `arrow.fixed_shape_tensor`; null if it is not a tensor.
 * @throws InputFormatError for an impossible shape; InputUnsupportedError for dimensions in another order
 */
function tensorShape(
  path: string,
  field: Field | undefined,
): readonly number[] | null {
  const { name, metadata } = field ?? { name: "", metadata: [] };
  const said = new Map(metadata);
  if (said.get("ARROW:extension:name") !== "arrow.fixed_shape_tensor")
    return null;
  const text = said.get("ARROW:extension:metadata") ?? "";
  const { shape, permutation } = parsed(text);
  if (!isNumbers(shape))
    throw new InputFormatError(
      path,
      `column ${name}`,
      `expected the shape of a tensor in ARROW:extension:metadata, found ${JSON.stringify(text)}`,
    );
  if (isNumbers(permutation) && permutation.some((place, k) => place !== k))
    throw new InputUnsupportedError(
      path,
      `column ${name}`,
      `permuted tensors are not supported: the permutation is ${permutation.join(", ")}`,
    );
  return shape;
}

function parsed(text: string): { shape?: unknown; permutation?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}

function isNumbers(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((n) => Number.isSafeInteger(n) && n >= 0)
  );
}
