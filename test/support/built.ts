import { pathToFileURL } from "node:url";
import type * as Public from "../../src/index.js";
import { distFile } from "./dist.js";

/** The built package: what users import, and the only form in which workers and the SIMD module are found. */
export const built: typeof Public = await import(
  pathToFileURL(distFile("index.js")).href
);
