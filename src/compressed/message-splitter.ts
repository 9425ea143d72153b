/** Where the body of a message goes. */
export interface BodyTarget {
  bytes: number;
  /** Takes its bytes as they come, in pieces of any size. */
  add(piece: Uint8Array): Promise<void> | void;
  /** All of them have come. */
  end(): Promise<void>;
}

const PREFIX_BYTES = 8;

/**
 * Takes a stream of messages apart, as it comes in pieces of any size: a message is FFFFFFFF, the length of its metadata,
 * the metadata, and the body whose length the metadata tells. A length of 0 ends the stream.
 */
export class MessageSplitter {
  #part = new Uint8Array(PREFIX_BYTES);
  #filled = 0;
  #inPrefix = true;
  #body: BodyTarget | null = null;
  #bodyLeft = 0;

  constructor(
    private readonly onMetadata: (
      metadata: Uint8Array<ArrayBuffer>,
    ) => Promise<BodyTarget>,
    private readonly onEnd: () => Promise<void>,
  ) {}

  async add(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.byteLength > 0; )
      rest = rest.subarray(await this.#take(rest));
  }

  /** Takes some of the bytes, and says how many. */
  async #take(bytes: Uint8Array): Promise<number> {
    if (this.#body) {
      const piece = bytes.subarray(0, this.#bodyLeft);
      await this.#body.add(piece);
      this.#bodyLeft -= piece.byteLength;
      await this.#endBody();
      return piece.byteLength;
    }
    const piece = bytes.subarray(0, this.#part.byteLength - this.#filled);
    this.#part.set(piece, this.#filled);
    this.#filled += piece.byteLength;
    if (this.#filled === this.#part.byteLength) await this.#endPart();
    return piece.byteLength;
  }

  async #endPart(): Promise<void> {
    const part = this.#part;
    this.#filled = 0;
    if (this.#inPrefix) {
      const length = new DataView(part.buffer).getInt32(4, true);
      if (length === 0) return this.onEnd();
      this.#part = new Uint8Array(length);
      this.#inPrefix = false;
      return;
    }
    this.#part = new Uint8Array(PREFIX_BYTES);
    this.#inPrefix = true;
    this.#body = await this.onMetadata(part);
    this.#bodyLeft = this.#body.bytes;
    await this.#endBody();
  }

  async #endBody(): Promise<void> {
    if (this.#bodyLeft > 0) return;
    const body = this.#body;
    this.#body = null;
    await body?.end();
  }
}
