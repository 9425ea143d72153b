import type { ParquetReply } from "../src/input/parquet/protocol.js";

/** A failure that is known by name. */
export class ParquetFailure extends Error {
  constructor(readonly reply: ParquetReply) {
    super(reply.kind);
  }
}
