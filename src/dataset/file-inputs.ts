import { statSync } from "node:fs";
import { join } from "node:path";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import { openLogits } from "../input/open-logits.js";
import { inputCall } from "../system-error.js";
import type { InputState } from "./dataset-plan.js";
import { refuseChanged } from "./input-changed.js";
import type { Inputs, SeenInput } from "./inputs.js";

/** Files in a folder: read where they are. */
export class FileInputs implements Inputs {
  constructor(private readonly root: string) {}

  path(name: string): string {
    return join(this.root, name);
  }

  async state(name: string): Promise<InputState> {
    const path = this.path(name);
    const { size, mtimeNs } = inputCall(path, "could not be examined", () =>
      statSync(path, { bigint: true }),
    );
    return { bytes: Number(size), modified: String(mtimeNs) };
  }

  async check(input: SeenInput): Promise<void> {
    const found = await this.state(input.name);
    refuseChanged(this.path(input.name), input, found);
  }

  async open(input: SeenInput, options: OpenOptions): Promise<LogitsFile> {
    await this.check(input);
    return openLogits(this.path(input.name), options);
  }

  async reading<T>(_: LogitsFile, work: () => T): Promise<T> {
    return work();
  }

  async rowsOf(logits: LogitsFile): Promise<LogitsFile> {
    return logits;
  }
}
