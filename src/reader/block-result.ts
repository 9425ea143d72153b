/** What the block is of: softmax, or log-softmax. */
export type BlockResult = "jacobian" | "log_jacobian";

export const BLOCK_RESULTS: readonly BlockResult[] = [
  "jacobian",
  "log_jacobian",
];
