import { offsetWidth } from "../src/arrow/source-form.js";
import type { SourceSetup, WorkerSetup } from "../src/pool/protocol.js";
import type { RowsOfPiece, ValueRun } from "./load-rows.js";
import { readBits, readSource } from "./slot-bytes.js";
import { TaskFailure } from "./task-failure.js";

/**
 * Where the values of a piece's rows stand, by its offsets: every row must have as many as the source says, inside the
 * batch's values. A null list may have any; its row is left out of the runs.
 */
export function listRuns(
  setup: WorkerSetup,
  { name, form, values }: SourceSetup,
  { piece, from, to }: RowsOfPiece,
  staging: number,
): ValueRun[] {
  const rows = to - from;
  const width = offsetWidth(form) as 4 | 8;
  const skip = (from - piece.rowStart) * width;
  readSource(setup, staging, (rows + 1) * width, piece.offsets + skip);
  const offset = integers(setup.buffer, staging, rows + 1, width);
  const valid = readBits(
    setup,
    piece.validity,
    piece.firstRow + from - piece.rowStart,
    rows,
  );
  const runs: ValueRun[] = [];
  let run: ValueRun | null = null;
  for (let r = 0; r < rows; r++) {
    const first = offset(r);
    const found = offset(r + 1) - first;
    if (valid && !valid(r)) {
      // What stands under a null is not looked at, but its offsets must not leave the values.
      if (!(first >= 0 && found >= 0 && first + found <= piece.valueCount))
        throw outside(name, from + r, piece.valueCount, first, found);
      run = null;
      continue;
    }
    if (found !== values)
      throw new TaskFailure({
        kind: "ragged-row",
        row: from + r,
        column: name,
        expected: values,
        found,
      });
    if (!(first >= 0 && first + found <= piece.valueCount))
      throw outside(name, from + r, piece.valueCount, first, found);
    if (run && run.first + (r - (run.from - from)) * values === first) run.to++;
    else {
      run = { from: from + r, to: from + r + 1, first };
      runs.push(run);
    }
  }
  return runs;
}

function integers(
  buffer: SharedArrayBuffer,
  address: number,
  count: number,
  width: 4 | 8,
): (k: number) => number {
  if (width === 4) {
    const found = new Int32Array(buffer, address, count);
    return (k) => found[k] as number;
  }
  const found = new BigInt64Array(buffer, address, count);
  return (k) => Number(found[k]);
}

function outside(
  column: string,
  row: number,
  count: number,
  first: number,
  size: number,
): TaskFailure {
  return new TaskFailure({
    kind: "damaged",
    where: `column ${column}, row ${row}`,
    text: `expected a list within values 0 to ${count}, found ${first} to ${first + size}`,
  });
}
