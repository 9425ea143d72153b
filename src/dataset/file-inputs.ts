import { join } from "node:path";
import { InputFormatError, InputMissingError } from "../errors.js";
import { checkSame, SINCE_PLANNED, stateAt } from "../input/input-state.js";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import { openLogits } from "../input/open-logits.js";
import type { PlannedState } from "./dataset-plan.js";
import type { Inputs, SeenInput } from "./inputs.js";

/** Files in a folder: read where they are. */
export class FileInputs implements Inputs {
  /** @param undecodable of files whose names are not UTF-8, the bytes of the path by the escaped name */
  constructor(
    private readonly root: string,
    private readonly undecodable: ReadonlyMap<string, Buffer> = new Map(),
  ) {}

  path(name: string): string {
    return join(this.root, name);
  }

  async state(name: string): Promise<PlannedState> {
    const path = this.path(name);
    const found = stateAt(path, this.undecodable.get(name));
    // Not a change: its file system may only be absent on this machine.
    if (!found) throw new InputMissingError(path);
    const { inode: _, ...state } = found;
    return state;
  }

  async check(input: SeenInput): Promise<void> {
    const found = await this.state(input.name);
    checkSame(this.path(input.name), SINCE_PLANNED, input, found);
  }

  async open(input: SeenInput, options: OpenOptions): Promise<LogitsFile> {
    await this.check(input);
    // Plans, records and messages hold names as text.
    if (this.undecodable.has(input.name))
      throw new InputFormatError(
        this.path(input.name),
        "file name",
        "not valid UTF-8 (other bytes are shown as \\x..); rename the file",
      );
    const logits = await openLogits(this.path(input.name), options);
    try {
      // It may have been replaced between that look and its opening.
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
