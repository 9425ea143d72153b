import {
  closeSync,
  ftruncateSync,
  openSync,
  statSync,
  writeSync,
} from "node:fs";
import { expect, test } from "vitest";
import { InputRows } from "../../../src/input/input-rows.js";
import { openLogits } from "../../../src/input/open-logits.js";
import { npy } from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";

// Arrays of more than 4 GiB, of which only a few values were ever written: the system keeps no room for the rest.

const at = workDirectory();
const ROWS = 2 ** 28 + 5;
const CLASSES = 5;
const none = new Uint8Array(0);

/** An .npy file of float32, all 0 but for row `row`, which has 1, 2, 3, … */
function sparse(name: string, fortran: boolean, row: number): string {
  const path = at(name);
  const header = npy(none, { descr: "<f4", shape: [ROWS, CLASSES], fortran });
  const fd = openSync(path, "w");
  writeSync(fd, header);
  ftruncateSync(fd, header.length + 4 * ROWS * CLASSES);
  for (let k = 0; k < CLASSES; k++) {
    const place = fortran ? k * ROWS + row : row * CLASSES + k;
    writeSync(fd, Float32Array.of(k + 1), 0, 4, header.length + 4 * place);
  }
  closeSync(fd);
  return path;
}

test.each([false, true])(
  "rows past 4 GiB (Fortran order: %s)",
  async (fortran) => {
    const row = ROWS - 2;
    const input = sparse(`large ${fortran}`, fortran, row);
    expect(statSync(input).size).toBeGreaterThan(2 ** 32);
    const opened = await openLogits(input, {
      keep: [],
      ownNames: [],
      inputs: [],
    });
    const rows = new InputRows(opened);
    await rows.load(ROWS - 4, ROWS);
    const found = [4, 3, 2, 1].map((back) => [...rows.values(ROWS - back, 0)]);
    opened.close();
    const zeros = [0, 0, 0, 0, 0];
    expect(found).toEqual([zeros, zeros, [1, 2, 3, 4, 5], zeros]);
    const plan = await built.dryRun({ input, output: at("none") });
    expect(plan).toMatchObject({ rows: ROWS, classes: CLASSES });
  },
);
