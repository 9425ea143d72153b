import { join } from "node:path";
import { InputFormatError, InputMissingError } from "../errors.js";
import { checkSame, SINCE_PLANNED, stateAt } from "../input/input-state.js";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import { openLogits } from "../input/open-logits.js";
import type { RowRange } from "../results/row-axes.js";
import type { PinnedInput, PlannedState } from "./dataset-plan.js";

/** Input and its expected state. */
export type InputWithState = PlannedState & Pick<PinnedInput, "name">;

/** Access to the inputs of a run, in a directory or an object store. */
export interface Inputs {
  /** Returns the path of an input, for options and messages. */
  path(name: string): string;
  /** Returns the current state of an input. @throws InputMissingError */
  state(name: string): Promise<PlannedState>;
  /** Rejects an input whose state has changed. @throws InputChangedError */
  check(input: InputWithState): Promise<void>;
  /** Opens an input and checks its structure. @throws as openLogits; InputChangedError */
  open(input: InputWithState, options: OpenOptions): Promise<LogitsFile>;
  /** Returns the result of `work`, which reads an open input; calls it again after fetching bytes that it misses. */
  reading<T>(logits: LogitsFile, work: () => T): Promise<T>;
  /** Returns an input with the bytes of some rows: the same object, or another one that the caller must close. */
  rowsOf(
    logits: LogitsFile,
    rows: RowRange,
    signal: AbortSignal | undefined,
  ): Promise<LogitsFile>;
}

/** Local files, which are read in place. */
export class FileInputs implements Inputs {
  constructor(
    private readonly root: string,
    /** States of files whose names are not UTF-8, by escaped name. */
    private readonly undecodable: ReadonlyMap<string, PlannedState> = new Map(),
  ) {}

  path(name: string): string {
    return join(this.root, name);
  }

  async state(name: string): Promise<PlannedState> {
    const path = this.path(name);
    const undecodable = this.undecodable.get(name);
    if (undecodable) return undecodable;
    const current = stateAt(path);
    // Not InputChangedError: the file system may only be missing on this machine.
    if (!current) throw new InputMissingError(path);
    const { inode: _, ...state } = current;
    return state;
  }

  async check(input: InputWithState): Promise<void> {
    const current = await this.state(input.name);
    checkSame(this.path(input.name), SINCE_PLANNED, input, current);
  }

  async open(input: InputWithState, options: OpenOptions): Promise<LogitsFile> {
    await this.check(input);
    const path = this.path(input.name);
    // Plans and records store names as text.
    if (this.undecodable.has(input.name))
      throw new InputFormatError(
        path,
        "file name",
        "not valid UTF-8 (other bytes are shown as \\x..); rename the file",
      );
    const logits = await openLogits(path, options);
    try {
      // The file may have been replaced between the check and the opening.
      await this.check(input);
      return logits;
    } catch (error) {
      logits.close();
      throw error;
    }
  }

  async reading<T>(_: LogitsFile, work: () => T): Promise<T> {
    return work();
  }

  async rowsOf(logits: LogitsFile): Promise<LogitsFile> {
    return logits;
  }
}
