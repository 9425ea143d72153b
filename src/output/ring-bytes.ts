/** How much of the output is in memory at once: all of the largest record batch, or more. */
export function ringBytes(largestBatch: number, wanted: number): number {
  return Math.ceil(Math.max(largestBatch, wanted, 1 << 20) / 65536) * 65536;
}
