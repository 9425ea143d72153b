/** What the block is of: softmax, or log-softmax. */
export type BlockResult = "jacobian" | "log_jacobian";

/** Beyond it Q·Q is no exact number. */
export const MAX_CLASSES = 94_906_265;

export const BLOCK_RESULTS: readonly BlockResult[] = [
  "jacobian",
  "log_jacobian",
];
