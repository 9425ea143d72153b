import type { ArrowType, Field } from "../arrow/field.js";

export interface JacobianSchemaOptions {
  classes: number;
  dtype: "float32" | "float64";
  /** Fields of the kept columns, in order. */
  kept: Field[];
  /** softmax and jacobian may be null (`--on-bad-row null`). */
  nullableResults: boolean;
  /** Mark jacobian as arrow.fixed_shape_tensor. */
  tensorType: boolean;
}

/**
 * The columns of a `bsr` table: `row`, the kept ones, `softmax` `[Q]`, `jacobian` `[Q·Q]` row-major,
 * J[i,j] = ∂softmax(o)_j / ∂o_i.
 */
export function jacobianSchema(options: JacobianSchemaOptions): Field[] {
  const { classes, dtype, nullableResults } = options;
  const value = float(dtype);
  const row: Field = plainField("row", {
    kind: "Int",
    bitWidth: 64,
    signed: true,
  });
  const list = (name: string, listSize: number): Field => ({
    ...plainField(name, { kind: "FixedSizeList", listSize }),
    nullable: nullableResults,
    children: [plainField("item", value)],
  });
  const jacobian = list("jacobian", classes * classes);
  if (options.tensorType)
    jacobian.metadata = [
      ["ARROW:extension:name", "arrow.fixed_shape_tensor"],
      [
        "ARROW:extension:metadata",
        JSON.stringify({ shape: [classes, classes], dim_names: ["i", "j"] }),
      ],
    ];
  return [row, ...options.kept, list("softmax", classes), jacobian];
}

function float(dtype: "float32" | "float64"): ArrowType {
  return { kind: "FloatingPoint", precision: dtype === "float32" ? 1 : 2 };
}

function plainField(name: string, type: ArrowType): Field {
  return {
    name,
    nullable: false,
    type,
    dictionary: null,
    children: [],
    metadata: [],
  };
}
