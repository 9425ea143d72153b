import { fdatasync } from "node:fs";

/** Bytes after which the disk is given work: of a part of 64 MiB it has some while the rest is computed. */
const STEP_BYTES = 16 * 2 ** 20;

/**
 * Sets the disk to work on a file while it is still being written: an fdatasync in the background, one at a time.
 * Without it the final fsync waits for everything: 0.4 s of 1.1 s for 880 MB, measured.
 */
export class WriteBack {
  #unsynced = 0;
  #running: Promise<void> | null = null;
  #error: unknown;

  constructor(private readonly fd: number) {}

  /** @throws what the disk reported of earlier bytes: no use in writing on */
  wrote(bytes: number): void {
    if (this.#error) throw this.#error;
    this.#unsynced += bytes;
    if (this.#running || this.#unsynced < STEP_BYTES) return;
    this.#unsynced = 0;
    this.#running = new Promise((resolve) =>
      fdatasync(this.fd, (error) => {
        this.#error ??= error;
        this.#running = null;
        resolve();
      }),
    );
  }

  /** Waits for what is under way. @throws the first error that the disk reported */
  async finished(): Promise<void> {
    await this.#running;
    if (this.#error) throw this.#error;
  }
}
