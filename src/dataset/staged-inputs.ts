import {
  checkSame,
  type InputSource,
  SINCE_PLANNED,
} from "../input/input-state.js";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import {
  bytesOfRows,
  bytesOfValues,
  structureBytes,
} from "../input/needed-bytes.js";
import { logitsIn } from "../input/open-logits.js";
import type { RowRange } from "../results/row-axes.js";
import { openStore } from "../storage/open-store.js";
import { StagedFile } from "../storage/staged-file.js";
import { ReplacedError, type StoreAccess } from "../storage/store.js";
import type { PlannedState } from "./dataset-plan.js";
import type { Inputs, InputWithState } from "./inputs.js";

/**
 * Objects of a store. Fetches the bytes that are needed into local anonymous files. Every request states the object's ETag,
 * so that no byte of a replaced object is read.
 */
export class StagedInputs implements Inputs {
  /** Staged files of open inputs, except those that were decoded to another file. */
  readonly #staged = new WeakMap<LogitsFile, StagedFile>();

  constructor(
    private readonly root: string,
    private readonly access: StoreAccess,
    private readonly states?: ReadonlyMap<string, PlannedState>,
  ) {}

  path(name: string): string {
    return `${this.root}/${name}`;
  }

  async state(name: string): Promise<PlannedState> {
    const state = this.states?.get(name) ?? (await this.#currentState(name));
    return state ?? { bytes: 0, etag: "" };
  }

  async check(input: InputWithState): Promise<void> {
    const current = await this.#currentState(input.name);
    checkSame(this.path(input.name), SINCE_PLANNED, input, current);
  }

  async open(input: InputWithState, options: OpenOptions): Promise<LogitsFile> {
    const { scratch, signal } = options;
    return this.#stage(input, scratch, async (staged) => {
      const { name: path, fd, present, state: opened } = staged;
      const state = () => this.#currentState(input.name);
      const source: InputSource = { path, fd: -1, opened, state };
      // `staged.reading` may open the file again, so it must stay open.
      const close = () => {};
      const file = { path, fd, bytes: opened.bytes, present, source, close };
      for (const ranges of structureBytes(file))
        await staged.fetch(ranges, signal);
      const read = () => logitsIn(file, options);
      const logits = await staged.reading(read, signal);
      const closeBoth = () => {
        logits.close();
        staged.close();
      };
      const result = { ...logits, close: closeBoth };
      if (result.present) this.#staged.set(result, staged);
      return result;
    });
  }

  async reading<T>(logits: LogitsFile, work: () => T): Promise<T> {
    const staged = this.#staged.get(logits);
    return staged ? staged.reading(work) : work();
  }

  /** Stages the rows in a separate file, so that only the current rows of a large object take disk space. */
  async rowsOf(
    logits: LogitsFile,
    { rowStart, rowEnd }: RowRange,
    signal: AbortSignal | undefined,
  ): Promise<LogitsFile> {
    const whole = this.#staged.get(logits);
    if (!whole) return logits;
    const { name: path, state, scratch } = whole;
    const input = { name: path.slice(this.root.length + 1), ...state };
    return this.#stage(input, scratch, async (staged) => {
      const { fd, present } = staged;
      const close = () => staged.close();
      const rows: LogitsFile = { ...logits, fd, present, close };
      await staged.fetch(bytesOfRows(rows, rowStart, rowEnd), signal);
      await staged.fetch(bytesOfValues(rows, rowStart, rowEnd), signal);
      return rows;
    });
  }

  /** Opens a staged file, and closes it if `work` fails. @throws InputChangedError if the object was replaced */
  async #stage<T>(
    input: InputWithState,
    scratch: string | undefined,
    work: (staged: StagedFile) => Promise<T>,
  ): Promise<T> {
    const { name, bytes, etag = "" } = input;
    const store = await this.#store();
    const state = { bytes, etag };
    const staged = new StagedFile(store, this.path(name), state, scratch);
    try {
      return await work(staged);
    } catch (error) {
      staged.close();
      if ((error as Error).cause instanceof ReplacedError)
        await this.check(input);
      throw error;
    }
  }

  async #currentState(name: string): Promise<PlannedState | null> {
    const found = await (await this.#store()).head(this.path(name));
    return found && { bytes: found.bytes, etag: found.etag ?? "" };
  }

  /** Opens the store when it is needed, because publishing does not need it. */
  #store() {
    return openStore(this.root, this.access);
  }
}
