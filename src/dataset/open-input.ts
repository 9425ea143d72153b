import type { LogitsFile } from "../input/logits-file.js";

/** The input of the last shard: mostly the next one's too. */
export class OpenInput {
  #path = "";
  #logits: LogitsFile | null = null;

  async open(
    path: string,
    open: () => Promise<LogitsFile>,
  ): Promise<LogitsFile> {
    if (this.#logits && this.#path === path) return this.#logits;
    this.close();
    this.#logits = await open();
    this.#path = path;
    return this.#logits;
  }

  close(): void {
    this.#logits?.close();
    this.#logits = null;
  }
}
