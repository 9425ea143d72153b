import { EXP_TABLE, vectorAt } from "./portable/work.js";

/** A row's work area (laid out in portable/work.ts) as arrays; the header as float64 from byte 0. */
export interface WorkArea {
  readonly header: Float64Array;
  readonly argmax: Int32Array;
  /** 2^(j/128), high and low in turn. */
  readonly table: Float64Array;
  readonly p: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly d: Float64Array;
  readonly delta: Float64Array;
}

/** The work area at byte `address` of `buffer`. */
export function workAreaAt(
  buffer: ArrayBufferLike,
  address: number,
  classes: number,
): WorkArea {
  const vector = (n: number) =>
    new Float64Array(buffer, vectorAt(address, classes, n), classes);
  return {
    header: new Float64Array(buffer, address, EXP_TABLE / 8),
    argmax: new Int32Array(buffer, address + 8, 1),
    table: new Float64Array(buffer, address + EXP_TABLE, 256),
    p: vector(0),
    high: vector(1),
    low: vector(2),
    d: vector(3),
    delta: vector(4),
  };
}
