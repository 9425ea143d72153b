import { blockRowStart } from "../results/columns.js";
import type { BlockForm, ExampleParts } from "./example-parts.js";
import { type FloatArray, newFloats } from "./float-array.js";
import type { BlockRows } from "./rows-block.js";
import type { StoredColumn } from "./stored-column.js";

/** Values `[start, end)` of an example's list. */
type ReadValues = (start: number, end: number) => Promise<FloatArray>;

/** The block of an example whose list has all of it: bsr, packed, dense. @throws InputFormatError */
export async function listRows(
  form: BlockForm,
  { source, parts, k, row }: ExampleParts,
): Promise<BlockRows> {
  const { layout, classes, rows } = form;
  const column = parts[0] as StoredColumn;
  const span = await column.span(source, k);
  const expected =
    layout === "packed"
      ? blockRowStart("triangle", classes, classes)
      : classes * classes * (layout === "dense" ? rows : 1);
  if (span.end - span.start !== expected)
    throw column.error(
      `expected ${expected} values for ${classes} classes in layout ${layout}, found ${span.end - span.start} in row ${k} of the batch`,
    );
  const read: ReadValues = (start, end) =>
    column.numbers(source, span.start + start, span.start + end);
  if (layout === "packed") return triangleRows(form, read);
  return layout === "dense"
    ? slabRows(form, row, read)
    : squareRows(form, read);
}

function squareRows({ classes }: BlockForm, read: ReadValues): BlockRows {
  return {
    classes,
    rows: (iStart, iEnd) => read(iStart * classes, iEnd * classes),
    entry: (i, j) => single(read, i * classes + j),
  };
}

/** The triangle is read once for all tiles: a row of the block has values from every row of it. */
function triangleRows(
  { classes, dtype }: BlockForm,
  read: ReadValues,
): BlockRows {
  const place = (i: number, j: number) =>
    blockRowStart("triangle", classes, Math.min(i, j)) + Math.abs(i - j);
  let triangle: Promise<FloatArray> | undefined;
  return {
    classes,
    async rows(iStart, iEnd) {
      triangle ??= read(0, blockRowStart("triangle", classes, classes));
      const values = await triangle;
      const tile = newFloats(dtype, (iEnd - iStart) * classes);
      for (let at = 0, i = iStart; i < iEnd; i++)
        for (let j = 0; j < classes; j++)
          tile[at++] = values[place(i, j)] as number;
      return tile;
    },
    entry: (i, j) => single(read, place(i, j)),
  };
}

/** Slab (i, q, j) of the full tensor: of it only q = row is not zero, and only that is read. */
function slabRows(
  { classes, rows, dtype }: BlockForm,
  row: number,
  read: ReadValues,
): BlockRows {
  const rowStart = (i: number) => (i * rows + row) * classes;
  return {
    classes,
    async rows(iStart, iEnd) {
      const tile = newFloats(dtype, (iEnd - iStart) * classes);
      for (let i = iStart; i < iEnd; i++)
        tile.set(
          await read(rowStart(i), rowStart(i) + classes),
          (i - iStart) * classes,
        );
      return tile;
    },
    entry: (i, j) => single(read, rowStart(i) + j),
  };
}

async function single(read: ReadValues, at: number): Promise<number> {
  return (await read(at, at + 1))[0] as number;
}
