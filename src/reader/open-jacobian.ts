import { checkObject, checkPath } from "../check-options.js";
import { InputFormatError } from "../errors.js";
import { openPlainArrow } from "../input/compression/open-plain.js";
import { interpreting } from "../input/interpreting.js";
import { keyCount } from "../results/row-axes.js";
import { decodeRunMetadata } from "../results/run-metadata.js";
import { selectBlockColumns } from "./block-columns.js";
import { blockForm, declaredTensor } from "./block-form.js";
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
    const tensor = declaredTensor(path, fields, columns);
    const { rowShape, threshold = null } = known;
    const stated = rowShape
      ? keyCount(rowShape)
      : (known.rows ?? (tensor?.length === 3 ? tensor[1] : undefined));
    const { last } = await table.ends();
    if (stated !== undefined && last >= stated)
      throw new InputFormatError(
        path,
        "column row",
        `expected row numbers below ${stated} (from softjac.rows or the option), found ${last}`,
      );
    const end = stated ?? last + 1;
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
