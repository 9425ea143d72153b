import type { ArrowType, Field } from "../arrow/field.js";
import { UsageError } from "../errors.js";
import {
  type JacobianFileLayout,
  layoutJacobianFile,
} from "../output/jacobian-file.js";
import { VERSION } from "../version.js";
import type { ResolvedGenerateOptions } from "./options.js";

/** Record batch bodies: within 16 to 64 MiB where a row allows it, as run's are. */
const BATCH_BYTES = 32 << 20;

/** Of a larger file the list of its record batches alone would fill memory. */
const MAX_BYTES = 2 ** 42;

/**
 * A file of `id: int64`, `logits: fixed_size_list<float>[Q]`, `label: int32`, every byte of it placed.
 * @throws UsageError for more than 4 TiB
 */
export function layoutLogitsFile(
  options: ResolvedGenerateOptions,
): JacobianFileLayout {
  const { rows, classes, dtype } = options;
  const width = dtype === "float32" ? 4 : 8;
  const rowBytes = 8 + classes * width + 4;
  if (rows * rowBytes > MAX_BYTES)
    throw new UsageError(
      `rows, classes: expected at most ${MAX_BYTES} bytes in one file, found ${rows} rows of ${rowBytes}`,
      "rows",
    );
  const batchRows = Math.max(1, Math.floor(BATCH_BYTES / rowBytes));
  const batches = [];
  for (let start = 0; start < rows; start += batchRows) {
    const count = Math.min(batchRows, rows - start);
    batches.push({
      rows: count,
      results: [
        { list: true, offsets: false, items: count * classes, width },
        { list: false, offsets: false, items: count, width: 4 },
      ],
      nullableResults: false,
      kept: [],
    });
  }
  return layoutJacobianFile({
    fields: fieldsOf(classes, width),
    metadata: metadataOf(options),
    batches,
    dictionaries: [],
  });
}

function fieldsOf(classes: number, width: 4 | 8): Field[] {
  const float: ArrowType = {
    kind: "FloatingPoint",
    precision: width === 4 ? 1 : 2,
  };
  const list: ArrowType = { kind: "FixedSizeList", listSize: classes };
  return [
    field("id", { kind: "Int", bitWidth: 64, signed: true }),
    { ...field("logits", list), children: [field("item", float)] },
    field("label", { kind: "Int", bitWidth: 32, signed: true }),
  ];
}

function metadataOf(
  options: ResolvedGenerateOptions,
): [key: string, value: string][] {
  const { kind, scale, seed, rows, classes, dtype } = options;
  return Object.entries({
    version: VERSION,
    kind,
    ...(kind === "normal" && { scale }),
    seed,
    rows,
    classes,
    dtype,
  }).map(([key, value]) => [`softjac.${key}`, String(value)]);
}

function field(name: string, type: ArrowType): Field {
  return {
    name,
    nullable: false,
    type,
    dictionary: null,
    children: [],
    metadata: [],
  };
}
