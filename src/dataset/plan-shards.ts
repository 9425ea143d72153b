/** What the shards of an input depend on. */
export interface InputSize {
  rows: number;
  /** Of the output, as far as is known before it is made. */
  bytesPerRow: number;
}

export interface ShardLimits {
  /** Rows of a shard at most; where it is given, nothing else counts. */
  shardRows: number | undefined;
  /** Bytes of a shard's output, about. */
  shardBytes: number;
}

/** Rows `[rowStart, rowEnd)` of one input. */
export interface Shard {
  /** Which input, from 0. */
  input: number;
  rowStart: number;
  rowEnd: number;
}

/**
 * Divides the rows of every input into shards of about one size, none over two inputs. Pure. An input without rows has one
 * shard without rows.
 */
export function planShards(
  inputs: readonly InputSize[],
  { shardRows, shardBytes }: ShardLimits,
): Shard[] {
  return inputs.flatMap(({ rows, bytesPerRow }, input): Shard[] => {
    const most = shardRows ?? Math.max(1, Math.floor(shardBytes / bytesPerRow));
    const count = Math.max(1, Math.ceil(rows / most));
    const edge = (k: number) => Math.floor((rows / count) * k);
    return Array.from({ length: count }, (_, k) => ({
      input,
      rowStart: edge(k),
      rowEnd: k + 1 === count ? rows : edge(k + 1),
    }));
  });
}
