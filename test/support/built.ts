import { pathToFileURL } from "node:url";
import type * as Public from "../../src/index.js";
import { distFile } from "./dist.js";

/** The built package. Only there can runs find the workers and the SIMD module. */
export const built: typeof Public = await import(
  pathToFileURL(distFile("index.js")).href
);
