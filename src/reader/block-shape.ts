import { InputFormatError, UsageError } from "../errors.js";

/** How the blocks stand in lists. */
export interface BlockShape {
  layout: "bsr" | "packed" | "dense";
  classes: number;
}

/** What is known of lists whose layout is to be told. */
export interface ListFacts {
  path: string;
  /** The column. */
  name: string;
  /** Values of each list. */
  size: number;
  /** The shape of arrow.fixed_shape_tensor, where the column is one. */
  tensor: readonly number[] | null;
  layout?: BlockShape["layout"] | undefined;
  classes?: number | undefined;
  /** M, as far as is known. */
  rows: number;
}

/**
 * The layout and Q of lists: bsr has Q² values, packed Q(Q+1)/2, dense Q·M·Q.
 * @throws InputFormatError where the length is not that of the layout and the classes; UsageError where it fits two
 */
export function blockShape(facts: ListFacts): BlockShape {
  const { path, name, size, tensor, rows } = facts;
  checkTensor(facts);
  const layout = facts.layout ?? (tensor ? byTensor(tensor) : byLength(facts));
  const classes = layout && classesOf(layout, size, rows);
  if (classes && (facts.classes ?? classes) === classes)
    return { layout, classes };
  const of = facts.classes === undefined ? "" : ` of ${facts.classes} classes`;
  const length = {
    bsr: "Q·Q",
    packed: "Q(Q+1)/2",
    dense: `Q·${rows}·Q`,
    none: "Q·Q or Q(Q+1)/2",
  }[layout ?? "none"];
  throw new InputFormatError(
    path,
    `column ${name}`,
    `expected lists of ${length} values${layout ? ` for layout ${layout}` : ""}${of} (from softjac.layout, softjac.classes or the options), found lists of ${size}`,
  );
}

function byTensor(tensor: readonly number[]): BlockShape["layout"] {
  return tensor.length === 2 ? "bsr" : "dense";
}

function byLength(facts: ListFacts): BlockShape["layout"] | undefined {
  const { path, name, size, classes, rows } = facts;
  const fits = (["bsr", "packed", "dense"] as const).filter((layout) => {
    const found = classesOf(layout, size, rows);
    // Without a word on it, a square is a block, and no slab of the dense tensor.
    return classes === undefined
      ? found !== null && layout !== "dense"
      : found === classes;
  });
  if (fits.length > 1 && size > 1 && classes === undefined)
    throw new UsageError(
      `layout: ${path} does not tell the layout of the lists of ${size} values in column ${name}: ${fits.map((fit) => `${fit} of ${classesOf(fit, size, rows)} classes`).join(" or ")}; give the option layout or classes`,
      "layout",
    );
  return fits[0];
}

function classesOf(
  layout: BlockShape["layout"],
  size: number,
  rows: number,
): number | null {
  const classes =
    layout === "packed"
      ? Math.floor((Math.sqrt(8 * size + 1) - 1) / 2)
      : Math.round(Math.sqrt(layout === "dense" ? size / rows : size));
  const values = {
    bsr: classes * classes,
    packed: (classes * (classes + 1)) / 2,
    dense: classes * rows * classes,
  }[layout];
  return classes >= 1 && values === size ? classes : null;
}

function checkTensor(facts: ListFacts): void {
  const { path, name, size, tensor, rows, layout } = facts;
  if (!tensor) return;
  const own = layout ?? byTensor(tensor);
  const square = tensor[0] === tensor.at(-1);
  const known =
    own === "dense"
      ? tensor.length === 3 && tensor[1] === rows
      : own === "bsr" && tensor.length === 2;
  const values = tensor.reduce((product, n) => product * n, 1);
  if (square && known && values === size) return;
  throw new InputFormatError(
    path,
    `column ${name}`,
    `expected a tensor of shape ${own === "dense" ? `Q x ${rows} x Q` : "Q x Q"} in lists of ${size} values${layout ? ` of layout ${layout}` : ""}, found the shape ${tensor.join(" x ")}`,
  );
}
