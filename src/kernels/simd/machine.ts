// WebAssembly version of src/kernels/portable/machine.ts, which build.mjs replaces with this file.

@inline
export function loadF64(address: usize): f64 {
  return load<f64>(address);
}

@inline
export function storeF64(address: usize, value: f64): void {
  store<f64>(address, value);
}

@inline
export function loadI32(address: usize): i32 {
  return load<i32>(address);
}

@inline
export function storeI32(address: usize, value: i32): void {
  store<i32>(address, value);
}

@inline
export function loadAddress(address: usize): usize {
  return load<usize>(address);
}

@inline
export function storeValue(out: usize, k: usize, value: f64, float32: bool): void {
  if (float32) store<f32>(out + (k << 2), <f32>value);
  else store<f64>(out + (k << 3), value);
}

@inline
export function rounded32(value: f64): f64 {
  return <f64><f32>value;
}

@inline
export function loadF32(address: usize): f64 {
  return <f64>load<f32>(address);
}

export function fillI32(out: usize, value: i32, count: usize): void {
  const whole = count & ~3;
  const four = i32x4.splat(value);
  for (let k: usize = 0; k < whole; k += 4) v128.store(out + (k << 2), four);
  for (let k = whole; k < count; k++) store<i32>(out + (k << 2), value);
}

export function addI32(out: usize, from: usize, term: i32, count: usize): void {
  const whole = count & ~3;
  const four = i32x4.splat(term);
  for (let k: usize = 0; k < whole; k += 4)
    v128.store(out + (k << 2), i32x4.add(v128.load(from + (k << 2)), four));
  for (let k = whole; k < count; k++) store<i32>(out + (k << 2), load<i32>(from + (k << 2)) + term);
}

@inline
export function leading26(value: f64): f64 {
  return reinterpret<f64>(reinterpret<i64>(value) & ~0x7ffffff);
}

export function storeSumsOfProducts(
  out: usize, float32: bool, count: usize, a: f64, x: usize, b: f64, y: usize, c: f64, z: usize,
): void {
  const va = f64x2.splat(a);
  const vb = f64x2.splat(b);
  const vc = f64x2.splat(c);
  const bytes = (count & ~1) << 3;
  for (let k: usize = 0; k < bytes; k += 16) {
    const small = f64x2.add(f64x2.mul(vb, v128.load(y + k)), f64x2.mul(vc, v128.load(z + k)));
    const value = f64x2.add(f64x2.mul(va, v128.load(x + k)), small);
    if (float32) v128.store64_lane(out + (k >> 1), f32x4.demote_f64x2_zero(value), 0);
    else v128.store(out + k, value);
  }
  if (count & 1) {
    const value = a * load<f64>(x + bytes) + (b * load<f64>(y + bytes) + c * load<f64>(z + bytes));
    storeValue(out, count - 1, value, float32);
  }
}

export function moveUpI32(at: usize, count: usize, shift: usize): void {
  const by = shift << 2;
  let end = at + (count << 2);
  for (; end >= at + 16; end -= 16) v128.store(end - 16 + by, v128.load(end - 16));
  for (; end > at; end -= 4) store<i32>(end - 4 + by, load<i32>(end - 4));
}
