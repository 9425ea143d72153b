/** Function whose block is stored: softmax (`jacobian`) or log-softmax (`log_jacobian`). */
export type BlockResult = "jacobian" | "log_jacobian";

export const BLOCK_RESULTS: readonly BlockResult[] = [
  "jacobian",
  "log_jacobian",
];
