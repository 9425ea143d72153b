import {
  AbsentBytes,
  BLOCK_BYTES,
  type ByteRange,
} from "../io/present-blocks.js";
import { readFooter } from "./arrow-file.js";
import type { Block } from "./arrow-metadata.js";
import { endOf, messageAt } from "./arrow-stream.js";
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
  yield [...footer.dictionaries, ...footer.recordBatches]
    .flatMap((block) => [
      { start: block.offset, end: block.offset + block.metadataBytes },
      { start: endOf(block), end: endOf(block) + 8 },
    ])
    .filter(({ start, end }) => start >= 0 && end <= file.bytes);
}

/** Message after message: each tells where the next one is. */
function* ofArrowStream(file: InputFile): Generator<readonly ByteRange[]> {
  let found: Block | null = { offset: 0, metadataBytes: 0, bodyBytes: 0 };
  while (found) {
    const offset: number = endOf(found);
    found = yield* reading(() => messageAt(file, offset, "message", true));
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
