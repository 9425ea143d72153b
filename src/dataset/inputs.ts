import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import type { RowRange } from "../plan.js";
import { isS3 } from "../store/location.js";
import type { S3Access } from "../store/s3-options.js";
import type { PlannedState } from "./dataset-plan.js";
import { FileInputs } from "./file-inputs.js";
import type { FoundInputs } from "./find-inputs.js";

/** An input, and what it was when it was seen. */
export interface SeenInput extends PlannedState {
  name: string;
}

/** The inputs of a run, wherever they are. */
export interface Inputs {
  /** As messages and options call an input. */
  path(name: string): string;
  /** What an input is now. @throws InputMissingError */
  state(name: string): Promise<PlannedState>;
  /** @throws InputChangedError where it is no longer what it was */
  check(input: SeenInput): Promise<void>;
  /**
   * Opens an input, its structure checked.
   * @throws as openLogits; InputChangedError
   */
  open(input: SeenInput, options: OpenOptions): Promise<LogitsFile>;
  /** What `work` makes of an open input; it may be done again, once what it reads is there. */
  reading<T>(logits: LogitsFile, work: () => T): Promise<T>;
  /** An open input with all that some rows take: itself, or a file of its own, which is the caller's. */
  rowsOf(
    logits: LogitsFile,
    part: RowRange,
    signal: AbortSignal | undefined,
  ): Promise<LogitsFile>;
}

/**
 * @param root the folder, or s3://bucket/prefix, that their names start from
 * @param found what is known of inputs that have just been looked for
 */
export async function openInputs(
  root: string,
  s3: S3Access,
  { states, undecodable }: Partial<FoundInputs> = {},
): Promise<Inputs> {
  if (!isS3(root)) return new FileInputs(root, undecodable);
  const { S3Inputs } = await import("./s3-inputs.js");
  return new S3Inputs(root, s3, states);
}
