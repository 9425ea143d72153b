import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";

/** Read at once: little enough for whoever else waits for this thread, enough for the disk. */
const STEP_BYTES = 1 << 20;

/** SHA-256 of a file that is being written, which is read as soon as its bytes are there: they are in memory still. */
export class FollowingHash {
  readonly #hash = createHash("sha256");
  /** One is read into while the other is hashed. */
  readonly #buffers = [new Uint8Array(STEP_BYTES), new Uint8Array(STEP_BYTES)];
  #file: Promise<FileHandle> | null = null;
  #at = 0;
  #end = 0;
  #following: Promise<void> | null = null;
  #closed = false;

  constructor(private readonly path: string) {}

  /** Says that all bytes before `end` are there to stay. */
  upTo(end: number): void {
    this.#end = Math.max(this.#end, end);
    if (this.#following) return;
    this.#following = this.#follow().finally(() => {
      this.#following = null;
    });
    // told by finish
    this.#following.catch(() => {});
  }

  /** The hash of the whole file, in hexadecimal digits: nothing more is written to it. */
  async finish(): Promise<string> {
    await this.#following;
    this.#end = Number.POSITIVE_INFINITY;
    await this.#follow();
    await this.close();
    return this.#hash.digest("hex");
  }

  /** Reads no more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#following?.catch(() => {});
    const file = this.#file;
    this.#file = null;
    await (await file)?.close();
  }

  async #follow(): Promise<void> {
    this.#file ??= open(this.path);
    const file = await this.#file;
    let next = this.#read(file, this.#at, 0);
    for (let turn = 1; !this.#closed; turn++) {
      const bytes = await next;
      if (bytes.byteLength === 0) return;
      this.#at += bytes.byteLength;
      next = this.#read(file, this.#at, turn % 2);
      this.#hash.update(bytes);
    }
    await next;
  }

  async #read(
    file: FileHandle,
    at: number,
    buffer: number,
  ): Promise<Uint8Array> {
    const bytes = this.#buffers[buffer] as Uint8Array;
    const length = Math.min(STEP_BYTES, this.#end - at);
    if (length <= 0) return bytes.subarray(0, 0);
    const { bytesRead } = await file.read(bytes, 0, length, at);
    return bytes.subarray(0, bytesRead);
  }
}
