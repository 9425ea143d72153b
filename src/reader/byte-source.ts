/** A buffer of a record batch: bytes of the file that its metadata has been checked to hold. */
export interface Region {
  /** Byte of the file. */
  start: number;
  bytes: number;
}

/** Where a column's bytes come from: the file, or what was read of it ahead. */
export interface ByteSource {
  /** Bytes `[offset, offset + bytes)` of the region, in a buffer of their own, which is the caller's. */
  read(
    region: Region,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer>>;
}
