import { loadAddress, loadI32, storeI32 } from "./machine.js";

// The program of a row block lists the results to store for every row, in order. One entry:
//
//   0   code                   i32     12  address of row 0's input (0: none)   u32
//   4   address of row 0       u32     16  bytes of input per row               u32
//   8   bytes per row          u32     20  param                                i32
//                                      24  float32 (1) or float64 (0)           i32

export const ENTRY_BYTES: usize = 32;

export function entryCode(entry: usize): i32 {
  return loadI32(entry);
}

export function entryOut(entry: usize, row: usize): usize {
  return loadAddress(entry + 4) + row * loadAddress(entry + 8);
}

export function entryBytes(entry: usize): usize {
  return loadAddress(entry + 8);
}

export function entryInput(entry: usize, row: usize): usize {
  return loadAddress(entry + 12) + row * loadAddress(entry + 16);
}

export function entryParam(entry: usize): i32 {
  return loadI32(entry + 20);
}

export function entryFloat32(entry: usize): bool {
  return loadI32(entry + 24) !== 0;
}

export function storeEntry(
  entry: usize,
  code: i32,
  out: usize,
  bytes: usize,
  input: usize,
  inputBytes: usize,
  param: i32,
  float32: bool,
): void {
  storeI32(entry, code);
  storeI32(entry + 4, out as i32);
  storeI32(entry + 8, bytes as i32);
  storeI32(entry + 12, input as i32);
  storeI32(entry + 16, inputBytes as i32);
  storeI32(entry + 20, param);
  storeI32(entry + 24, float32 ? 1 : 0);
}
