import { InputUnsupportedError } from "../errors.js";

/**
 * What a file may say of itself before it is refused, as damage or as more than was bargained for. None of it is needed
 * for safety in memory: every length is checked against the bytes that are there, too.
 */
export interface Limits {
  /** Bytes of a footer, of one message's metadata, of a header. */
  maxMetadataBytes: number;
  /** Columns, with those inside them; arrays of an archive. */
  maxColumns: number;
  /** How deep columns may lie in columns. */
  maxNesting: number;
  /** Rows of a record batch, row group or array. */
  maxBatchRows: number;
  /** Bytes of all that must be decoded before it can be read: compressed buffers, Parquet columns, deflated arrays. */
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
