import type * as Public from "../../src/index.js";

/** The built package: what users import, and the only form in which workers and the SIMD module are found. */
export const built: typeof Public = await import(
  new URL("../../dist/index.js", import.meta.url).href
);
