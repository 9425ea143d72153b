// Loaded before the command: SIMD is missing, so that runs use the plain kernel, which is slower.
WebAssembly.Module = function missing() {
  throw new Error("SIMD is missing");
};
