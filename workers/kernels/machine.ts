// What src/numeric/portable/machine.ts is in WebAssembly; build.mjs puts it in that one's place.

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
