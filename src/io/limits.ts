import { InputUnsupportedError } from "../errors.js";

/**
 * Limits on sizes that an input declares; larger ones are rejected. They are far above anything real files contain. Memory
 * safety does not depend on them: every length is also checked against the bytes of the file.
 */
export const LIMITS = {
  /** Bytes of a footer, message header or file header; 100,000 columns take about 20 MiB. */
  maxMetadataBytes: 64 * 2 ** 20,
  /** Columns including nested ones, or arrays in an archive. */
  maxColumns: 1_000_000,
  /** Levels of nested columns, and dimensions of arrays. */
  maxNesting: 64,
  /** Rows of a record batch, row group or array. */
  maxBatchRows: 2 ** 32,
  /** Bytes after decompression or decoding, since a tiny file can declare enough to fill a disk. */
  maxDecodedBytes: 2 ** 40,
};

/** Units of the limits, for messages. */
const UNITS: Record<keyof typeof LIMITS, string> = {
  maxMetadataBytes: "bytes of metadata",
  maxColumns: "columns",
  maxNesting: "levels of nesting",
  maxBatchRows: "rows in a batch",
  maxDecodedBytes: "decoded bytes",
};

/** A limit, and the number found. */
type Claim = readonly [limit: keyof typeof LIMITS, found: number];

/** Metadata declares more than a limit allows. For code that does not know the name of the file. */
export class OverLimit extends Error {
  constructor(...[limit, found]: Claim) {
    super(`expected at most ${LIMITS[limit]} ${UNITS[limit]}, found ${found}`);
  }
}

/** @throws InputUnsupportedError if a file declares more than is allowed */
export function checkLimit(
  { path }: { path: string },
  where: string,
  ...claim: Claim
): void {
  const [limit, found] = claim;
  if (found <= LIMITS[limit]) return;
  const { message } = new OverLimit(...claim);
  throw new InputUnsupportedError(path, where, message);
}
