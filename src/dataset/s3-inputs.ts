import { bytesOfRows, bytesOfValues } from "../input/bytes-of-rows.js";
import {
  checkSame,
  type InputSource,
  SINCE_PLANNED,
} from "../input/input-state.js";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import { logitsIn } from "../input/open-logits.js";
import { structureBytes } from "../input/structure-bytes.js";
import type { RowRange } from "../plan.js";
import { type S3Place, s3Place } from "../store/location.js";
import { refusedFor } from "../store/s3/failures.js";
import { type Objects, openObjects } from "../store/s3/objects.js";
import { StagedObject } from "../store/s3/staged-object.js";
import type { S3Access } from "../store/s3-options.js";
import type { PlannedState } from "./dataset-plan.js";
import type { Inputs, SeenInput } from "./inputs.js";

/**
 * Objects of S3: what of them is needed is fetched into files of this machine without a name. Every request says which
 * object is meant, by its ETag: of one that was replaced no byte is read.
 */
export class S3Inputs implements Inputs {
  /** Where what is open came from; not what was decoded, and is all there. */
  readonly #staged = new WeakMap<LogitsFile, StagedObject>();

  constructor(
    private readonly root: string,
    private readonly options: S3Access,
    private readonly states?: ReadonlyMap<string, PlannedState>,
  ) {}

  path(name: string): string {
    return `${this.root}/${name}`;
  }

  async state(name: string): Promise<PlannedState> {
    const known = this.states?.get(name) ?? (await this.#seen(name));
    return known ?? { bytes: 0, etag: "" };
  }

  async check(input: SeenInput): Promise<void> {
    const found = await this.#seen(input.name);
    checkSame(this.path(input.name), SINCE_PLANNED, input, found);
  }

  async open(input: SeenInput, options: OpenOptions): Promise<LogitsFile> {
    const path = this.path(input.name);
    const { scratch, signal } = options;
    const state = { bytes: input.bytes, etag: input.etag ?? "" };
    const place = this.#place(input.name);
    const objects = await this.#objects();
    const staged = new StagedObject(objects, place, state, scratch);
    const source: InputSource = {
      path,
      fd: -1,
      opened: state,
      state: () => this.#seen(input.name),
    };
    const file = {
      path,
      fd: staged.fd,
      bytes: state.bytes,
      present: staged.present,
      source,
      // Opening may be begun again; then it is closed with what was opened.
      close: () => {},
    };
    try {
      const logits = await this.#pinned(input, async () => {
        for (const ranges of structureBytes(file))
          await staged.fetch(ranges, signal);
        return staged.reading(() => logitsIn(file, options), signal);
      });
      const opened = {
        ...logits,
        close() {
          logits.close();
          staged.close();
        },
      };
      if (opened.present) this.#staged.set(opened, staged);
      return opened;
    } catch (error) {
      staged.close();
      throw error;
    }
  }

  async reading<T>(logits: LogitsFile, work: () => T): Promise<T> {
    const staged = this.#staged.get(logits);
    return staged ? staged.reading(work) : work();
  }

  /** What the rows take goes into a file of their own: of a large object no more is kept than is worked on. */
  async rowsOf(
    logits: LogitsFile,
    { rowStart, rowEnd }: RowRange,
    signal: AbortSignal | undefined,
  ): Promise<LogitsFile> {
    const whole = this.#staged.get(logits);
    if (!whole) return logits;
    const { place, state, scratch } = whole;
    const objects = await this.#objects();
    const staged = new StagedObject(objects, place, state, scratch);
    const rows: LogitsFile = {
      ...logits,
      fd: staged.fd,
      present: staged.present,
      close: () => staged.close(),
    };
    try {
      const input = { name: this.#nameOf(logits.path), ...state };
      await this.#pinned(input, async () => {
        await staged.fetch(bytesOfRows(rows, rowStart, rowEnd), signal);
        await staged.fetch(bytesOfValues(rows, rowStart, rowEnd), signal);
      });
      return rows;
    } catch (error) {
      staged.close();
      throw error;
    }
  }

  /** @throws InputChangedError where the object is another now */
  async #pinned<T>(input: SeenInput, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (refusedFor(error) === "condition") {
        await this.check(input);
      }
      throw error;
    }
  }

  async #seen(name: string): Promise<PlannedState | null> {
    const objects = await this.#objects();
    const found = await objects.head(this.#place(name));
    return found && { bytes: found.bytes, etag: found.etag };
  }

  /** Who only looks at a run, or publishes it, needs none. */
  #objects(): Promise<Objects> {
    return openObjects(this.options);
  }

  #nameOf(path: string): string {
    return path.slice(this.root.length + 1);
  }

  #place(name: string): S3Place {
    return s3Place(this.path(name));
  }
}
