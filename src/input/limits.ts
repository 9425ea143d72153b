import { InputUnsupportedError } from "../errors.js";

/**
 * Limits on sizes that an input declares; larger ones are rejected. Memory safety does not depend on them: every length is
 * also checked against the bytes of the file.
 */
export interface Limits {
  /** Maximum size in bytes of a footer, message header or file header; default: 67,108,864. */
  maxMetadataBytes: number;
  /** Maximum number of columns, nested ones included, or of arrays in an archive; default: 1,000,000. */
  maxColumns: number;
  /** Maximum nesting depth of columns, and number of dimensions of arrays; default: 64. */
  maxNesting: number;
  /** Maximum rows of a record batch, row group or array; default: 4,294,967,296. */
  maxBatchRows: number;
  /**
   * Maximum total size in bytes after decompression (Arrow buffers, Parquet columns, deflated arrays), or of arrays that are
   * decoded; default: 1,099,511,627,776.
   */
  maxDecodedBytes: number;
}

export const DEFAULT_LIMITS: Readonly<Limits> = {
  // A hundred thousand columns take some 20 MiB.
  maxMetadataBytes: 64 * 2 ** 20,
  maxColumns: 1_000_000,
  maxNesting: 64,
  maxBatchRows: 2 ** 32,
  // A kilobyte can be made to unpack to a disk full.
  maxDecodedBytes: 2 ** 40,
};

export const LIMIT_NAMES = Object.keys(DEFAULT_LIMITS) as (keyof Limits)[];

/** The limits among options, and what is usual for the others. */
export function limitsOf(
  options: {
    [name in keyof Limits]?: number | undefined;
  },
): Limits {
  const limits = { ...DEFAULT_LIMITS };
  for (const name of LIMIT_NAMES) limits[name] = options[name] ?? limits[name];
  return limits;
}

/** A limit, what it counts, and how many of those were found. */
export type Claim = readonly [limit: keyof Limits, what: string, found: number];

/** Metadata says more of itself than a limit allows; thrown where the file's name is not known. */
export class OverLimit extends Error {
  constructor(limits: Limits, ...[limit, what, found]: Claim) {
    const flag = limit.replace(
      /[A-Z]/g,
      (letter) => `-${letter.toLowerCase()}`,
    );
    super(
      `expected at most ${limits[limit]} ${what}, found ${found} (raise --${flag} to allow more)`,
    );
  }
}

interface NamedFile {
  path: string;
  limits: Limits;
}

/** The error of a file that claims more than is allowed. */
export function overLimit(
  { path, limits }: NamedFile,
  where: string,
  ...claim: Claim
): InputUnsupportedError {
  const { message } = new OverLimit(limits, ...claim);
  return new InputUnsupportedError(path, where, message);
}

/** @throws InputUnsupportedError where a file claims more than is allowed */
export function checkLimit(
  file: NamedFile,
  where: string,
  ...claim: Claim
): void {
  const [limit, , found] = claim;
  if (found > file.limits[limit]) throw overLimit(file, where, ...claim);
}
