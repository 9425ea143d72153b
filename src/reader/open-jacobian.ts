import { checkObject, checkPath } from "../check-options.js";
import { openPlainArrow } from "../input/compression/open-plain.js";
import { interpreting, interpretingEach } from "../input/interpreting.js";
import { keyCount, nameOfKey } from "../results/row-axes.js";
import { decodeRunMetadata } from "../results/run-metadata.js";
import { selectBlockColumns } from "./block-columns.js";
import { CoordinateExamples } from "./coordinate-examples.js";
import { placeBatches } from "./file-batches.js";
import { FileBytes } from "./file-bytes.js";
import { formOfBlocks } from "./form-of-blocks.js";
import { JacobianReader } from "./jacobian-reader.js";
import { type OpenJacobianOptions, withOptions } from "./reader-options.js";
import { rowsOfFile } from "./rows-of-file.js";
import { TableExamples } from "./table-examples.js";
import { tensorShape } from "./tensor-shape.js";

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
    const batches = placeBatches(file, columns);
    const tensor = tensorShape(path, fields[columns.parts[0]?.columns[0] ?? 0]);
    const isCoo = columns.form === "coo";
    const { rowShape } = known;
    const end = await rowsOfFile(
      path,
      bytes,
      batches,
      (rowShape && keyCount(rowShape)) ??
        known.rows ??
        (tensor?.length === 3 ? tensor[1] : undefined),
      { strict: !isCoo },
    );
    const rows = known.rows ?? end;
    const blocks = await formOfBlocks(
      { path, fields, columns, batches, tensor, known, rows },
      bytes,
    );
    // Keys of rows of ragged lists have gaps, of which the file does not tell.
    const form =
      rows === end ? blocks : { ...blocks, rowStart: 0, rowEnd: end };
    const Examples = isCoo ? CoordinateExamples : TableExamples;
    const examples = new Examples(path, form, bytes, batches);
    return new JacobianReader({
      ...form,
      path,
      threshold: known.threshold ?? null,
      count: isCoo
        ? form.rowEnd - form.rowStart
        : batches.reduce((sum, { count }) => sum + count, 0),
      examples: {
        find: (row) =>
          interpreting(path, nameOfKey(columns.inner, row), () =>
            examples.find(row),
          ),
        batches: () => interpretingEach(path, "rows", examples.batches()),
      },
      close: () => bytes.close(),
    });
  } catch (error) {
    await bytes.close();
    throw error;
  }
}
