import type { Field } from "../arrow/field.js";
import { checkObject, checkPath } from "../check-options.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { openPlainArrow } from "../input/compression/open-plain.js";
import { interpreting, interpretingEach } from "../input/interpreting.js";
import { keyCount, nameOfKey } from "../results/row-axes.js";
import { decodeRunMetadata } from "../results/run-metadata.js";
import { selectBlockColumns } from "./block-columns.js";
import type { ByteSource } from "./byte-source.js";
import { CoordinateExamples } from "./coordinate-examples.js";
import { type FileBatch, placeBatches } from "./file-batches.js";
import { FileBytes } from "./file-bytes.js";
import { formOfBlocks } from "./form-of-blocks.js";
import { JacobianReader } from "./jacobian-reader.js";
import { type OpenJacobianOptions, withOptions } from "./reader-options.js";
import { RowIndex } from "./row-index.js";
import { TableExamples } from "./table-examples.js";

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

/**
 * Returns M, the rows of the logits: the declared number, else the last row number plus 1. `strict`: row numbers are unique.
 * @throws InputFormatError if the row numbers contradict it or each other
 */
async function rowsOfFile(
  path: string,
  source: ByteSource,
  batches: readonly FileBatch[],
  said: number | undefined,
  { strict }: { strict: boolean },
): Promise<number> {
  const end = batches.at(-1);
  if (!end) return said ?? 0;
  const index = new RowIndex(source, batches, { strict });
  const { first } = await index.ends(0);
  const { last } = await index.ends(batches.length - 1);
  const count = end.start + end.count;
  if (strict && last - first < count - 1)
    throw end.row.error(
      `expected ${count} ascending row numbers, found ${first} first and ${last} last`,
    );
  if (said !== undefined && last >= said)
    throw new InputFormatError(
      path,
      "column row",
      `expected row numbers below ${said} (from softjac.rows or the option), found ${last}`,
    );
  return said ?? last + 1;
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
