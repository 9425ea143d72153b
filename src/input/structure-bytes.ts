import {
  AbsentBytes,
  BLOCK_BYTES,
  type ByteRange,
} from "../io/present-blocks.js";
import { readFooter } from "./arrow-file.js";
import { readMessage } from "./arrow-message.js";
import { metadataBytesAt } from "./arrow-stream.js";
import type { InputFile } from "./input-file.js";
import { readInput } from "./read-input.js";

/** Fetched as a whole at once. */
const SMALL_BYTES = 1 << 20;

/**
 * The bytes that tell a file's structure, some after the others: those of a step must be there before the next is asked
 * for. No more than a hint: it saves whoever opens the file from meeting one absent range after the other. Of what is
 * damaged nothing is said here.
 */
export function* structureBytes(
  file: InputFile,
): Generator<readonly ByteRange[]> {
  const { bytes } = file;
  if (bytes <= SMALL_BYTES) {
    yield [{ start: 0, end: bytes }];
    return;
  }
  yield [
    { start: 0, end: BLOCK_BYTES },
    { start: bytes - BLOCK_BYTES, end: bytes },
  ];
  const head = new Uint8Array(6);
  readInput(file, head, 0);
  const start = String.fromCharCode(...head);
  if (start === "ARROW1") yield* ofArrowFile(file);
  if (start.startsWith("\xff\xff\xff\xff")) yield* ofArrowStream(file);
}

/** The metadata of every block, and what stands between blocks. */
function* ofArrowFile(file: InputFile): Generator<readonly ByteRange[]> {
  const footer = yield* reading(() => readFooter(file).footer);
  if (!footer) return;
  const blocks = [...footer.dictionaries, ...footer.recordBatches];
  const sound = ({ start, end }: ByteRange) => start >= 0 && end <= file.bytes;
  yield blocks
    .flatMap(({ offset, metadataBytes, bodyBytes }) => {
      const body = offset + metadataBytes;
      const next = body + bodyBytes;
      return [
        { start: offset, end: body },
        { start: next, end: next + 8 },
      ];
    })
    .filter(sound);
}

/** Message after message: each tells where the next one is. */
function* ofArrowStream(file: InputFile): Generator<readonly ByteRange[]> {
  for (let offset = 0; offset < file.bytes; ) {
    const at = offset;
    const metadataBytes = yield* reading(() =>
      metadataBytesAt(file, at, "message", true),
    );
    if (metadataBytes === null) return;
    const message = yield* reading(() =>
      readMessage(file, { offset: at, metadataBytes, bodyBytes: null }, ""),
    );
    if (!message || message.bodyBytes < 0) return;
    offset += metadataBytes + message.bodyBytes;
  }
}

/** What `read` gives once its bytes are there; null where it finds damage, which is told when the file is opened. */
function* reading<T>(read: () => T): Generator<readonly ByteRange[], T | null> {
  for (;;)
    try {
      return read();
    } catch (error) {
      if (!(error instanceof AbsentBytes)) return null;
      yield error.ranges;
    }
}
