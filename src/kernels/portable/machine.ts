// Memory access by address, for the files of this directory. For WebAssembly, build.mjs replaces this file with
// src/kernels/simd/machine.ts, in which most functions are one instruction.

let f64s: Float64Array = new Float64Array(0);
let f32s: Float32Array = new Float32Array(0);
let i32s: Int32Array = new Int32Array(0);
let u32s: Uint32Array = new Uint32Array(0);

/** Selects the buffer that the addresses below refer to. */
export function enter(buffer: ArrayBufferLike): void {
  if (f64s.buffer === buffer) return;
  f64s = new Float64Array(buffer, 0, Math.floor(buffer.byteLength / 8));
  f32s = new Float32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
  i32s = new Int32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
  u32s = new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
}

export function loadF64(address: usize): f64 {
  return f64s[address >>> 3] as f64;
}

export function storeF64(address: usize, value: f64): void {
  f64s[address >>> 3] = value;
}

export function loadI32(address: usize): i32 {
  return i32s[address >>> 2] as i32;
}

export function storeI32(address: usize, value: i32): void {
  i32s[address >>> 2] = value;
}

export function loadAddress(address: usize): usize {
  return u32s[address >>> 2] as usize;
}

/** Stores value k of a result as float64, or rounded once to float32. */
export function storeValue(
  out: usize,
  k: usize,
  value: f64,
  float32: bool,
): void {
  if (float32) f32s[(out >>> 2) + k] = value;
  else f64s[(out >>> 3) + k] = value;
}

/** Returns the nearest float32. */
export function rounded32(value: f64): f64 {
  return Math.fround(value);
}

export function loadF32(address: usize): f64 {
  return f32s[address >>> 2] as f64;
}

/** Stores `count` copies of an int32. */
export function fillI32(out: usize, value: i32, count: usize): void {
  i32s.fill(value, out >>> 2, (out >>> 2) + count);
}

/** Stores `count` int32, each plus `term`. */
export function addI32(out: usize, from: usize, term: i32, count: usize): void {
  for (let k: usize = 0; k < count; k++)
    i32s[(out >>> 2) + k] = (i32s[(from >>> 2) + k] as i32) + term;
}

const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);

/** Returns the leading 26 of the 53 bits of a normal number. */
export function leading26(value: f64): f64 {
  number[0] = value;
  words[0] = (words[0] as number) & 0xf8000000;
  return number[0] as f64;
}

/** Stores a·x + (b·y + c·z) for `count` float64 x, y and z, as float64 or rounded once to float32. */
export function storeSumsOfProducts(
  out: usize,
  float32: bool,
  count: usize,
  a: f64,
  x: usize,
  b: f64,
  y: usize,
  c: f64,
  z: usize,
): void {
  for (let k: usize = 0; k < count; k++)
    storeValue(
      out,
      k,
      a * (f64s[(x >>> 3) + k] as f64) +
        (b * (f64s[(y >>> 3) + k] as f64) + c * (f64s[(z >>> 3) + k] as f64)),
      float32,
    );
}

/** Moves `count` int32 up by `shift` values. */
export function moveUpI32(at: usize, count: usize, shift: usize): void {
  const start = at >>> 2;
  i32s.copyWithin(start + shift, start, start + count);
}
