// Preload that disables SIMD, so that runs use the slower plain kernel.
WebAssembly.Module = function missing() {
  throw new Error("SIMD is missing");
};
