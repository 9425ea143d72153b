import {
  type ArrowType,
  arrowTypeOf,
  type Field,
  plainField,
} from "../arrow/field.js";

/** A column of results, as the schema has it. */
export interface SchemaColumn {
  name: string;
  type: "float32" | "float64" | "int32";
  list: boolean;
  /** Values of a list; null where lists differ in length. */
  listSize: number | null;
  /** Shape and dimensions for arrow.fixed_shape_tensor. */
  tensor: { shape: number[]; dim_names: string[] } | null;
}

export interface JacobianSchemaOptions {
  /** Names of the index columns after `row`. */
  positions?: readonly string[];
  results: SchemaColumn[];
  /** Fields of the kept columns, in order. */
  kept: Field[];
  /** Results may be null (`--on-bad-row null`). */
  nullableResults: boolean;
}

/** Returns the columns of the output: `row`, the positions, the copied columns, and the results in order. */
export function jacobianSchema(options: JacobianSchemaOptions): Field[] {
  const row = plainField("row", arrowTypeOf("int64"));
  const positions = (options.positions ?? []).map((name) =>
    plainField(name, arrowTypeOf("int32")),
  );
  const results = options.results.map((column): Field => {
    const { name, list, listSize } = column;
    const item = arrowTypeOf(column.type);
    const listType: ArrowType =
      listSize === null
        ? { kind: "List" }
        : { kind: "FixedSizeList", listSize };
    const field = list
      ? plainField(name, listType, [plainField("item", item)])
      : plainField(name, item);
    return {
      ...field,
      nullable: options.nullableResults,
      metadata: column.tensor
        ? [
            ["ARROW:extension:name", "arrow.fixed_shape_tensor"],
            ["ARROW:extension:metadata", JSON.stringify(column.tensor)],
          ]
        : [],
    };
  });
  return [row, ...positions, ...options.kept, ...results];
}
