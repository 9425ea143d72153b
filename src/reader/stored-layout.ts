import { LAYOUTS, type Layout } from "../results/catalogue.js";

/** Layouts that are read. */
export type StoredLayout = Layout | "csr" | "coo";
/** What the block is of: softmax, or log-softmax. */
export type BlockResult = "jacobian" | "log_jacobian";

/** Beyond it Q·Q is no exact number. */
export const MAX_CLASSES = 94_906_265;

export const STORED_LAYOUTS: readonly StoredLayout[] = [
  ...new Set([...LAYOUTS, "csr", "coo"] as const),
];
export const BLOCK_RESULTS: readonly BlockResult[] = [
  "jacobian",
  "log_jacobian",
];
