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
 * Divides the rows of every input into shards of about one size, none over two inputs. Pure. Inputs without rows have no
 * shard, but for the first where none has any: a dataset has its columns even then.
 */
export function planShards(
  inputs: readonly InputSize[],
  { shardRows, shardBytes }: ShardLimits,
): Shard[] {
  const shards = inputs.flatMap(({ rows, bytesPerRow }, input): Shard[] => {
    const most = shardRows ?? Math.max(1, Math.floor(shardBytes / bytesPerRow));
    const count = Math.ceil(rows / most);
    const edge = (k: number) => Math.floor((rows / count) * k);
    return Array.from({ length: count }, (_, k) => ({
      input,
      rowStart: edge(k),
      rowEnd: k + 1 === count ? rows : edge(k + 1),
    }));
  });
  return shards.length > 0 || inputs.length === 0
    ? shards
    : [{ input: 0, rowStart: 0, rowEnd: 0 }];
}
