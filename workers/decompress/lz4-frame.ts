import { type CompressedBytes, Damaged, type DecodedBytes } from "./bytes.js";
import { decodeBlock } from "./lz4-block.js";
import { Xxh32 } from "./xxh32.js";

// An LZ4 frame (github.com/lz4/lz4, doc/lz4_Frame_format.md):
//
//   04 22 4D 18 | flags | block size | [content size: 8] | [dictionary: 4] | header checksum
//   blocks: size (highest bit: stored uncompressed) | data | [checksum: 4] | … | 0 | [content checksum: 4]

const MAGIC = 0x184d2204;
/** Maximum distance of a match into previous blocks. */
const HISTORY_BYTES = 64 << 10;
/** Decoded bytes that are written at once. */
const STEP_BYTES = 1 << 20;

/** Decodes one frame. @throws Damaged */
export function decodeLz4(source: CompressedBytes, target: DecodedBytes): void {
  const { blockBytes, linked, blockChecksums, contentChecksum, contentBytes } =
    readHeader(source);
  const out = new Uint8Array(
    HISTORY_BYTES + Math.max(STEP_BYTES, blockBytes) + blockBytes,
  );
  const hash = contentChecksum ? new Xxh32() : null;
  let total = 0;
  // Bytes [from, end) of `out` are not written yet; blocks may refer to the bytes before them.
  let from = 0;
  let end = 0;
  const flush = () => {
    const decoded = out.subarray(from, end);
    hash?.add(decoded);
    target.add(decoded);
    const history = linked ? Math.min(HISTORY_BYTES, end) : 0;
    out.copyWithin(0, end - history, end);
    from = end = history;
  };
  for (;;) {
    const size = source.uint32("an LZ4 block's size");
    if (size === 0) break;
    const bytes = size & 0x7fffffff;
    if (bytes > blockBytes)
      throw new Damaged(
        `expected an LZ4 block of at most ${blockBytes} bytes, found ${bytes}`,
      );
    const block = source.take(bytes, "an LZ4 block");
    const start = end;
    if (size >>> 31) {
      out.set(block, end);
      end += bytes;
    } else {
      const base = linked ? 0 : end;
      const window = out.subarray(base, end + blockBytes);
      end = base + decodeBlock(block, window, end - base);
    }
    total += end - start;
    if (blockChecksums) {
      const expected = new Xxh32().add(block).value;
      check("an LZ4 block", expected, source.uint32("an LZ4 block's checksum"));
    }
    if (end - from >= STEP_BYTES) flush();
  }
  flush();
  if (hash)
    check("an LZ4 frame", hash.value, source.uint32("an LZ4 frame's checksum"));
  if (contentBytes !== null && contentBytes !== total)
    throw new Damaged(
      `expected ${contentBytes} bytes as declared in the LZ4 frame, found ${total}`,
    );
}

function readHeader(source: CompressedBytes) {
  const magic = source.uint32("an LZ4 frame's header");
  if (magic !== MAGIC)
    throw new Damaged(
      `expected the magic number 184d2204 of an LZ4 frame, found ${magic.toString(16).padStart(8, "0")}`,
    );
  const header = [...source.take(2, "an LZ4 frame's header")];
  const [flags = 0, sizes = 0] = header;
  const sizeCode = (sizes >> 4) & 7;
  if (
    flags >> 6 !== 1 ||
    (flags & 2) !== 0 ||
    (sizes & 0x8f) !== 0 ||
    sizeCode < 4
  )
    throw new Damaged(
      `expected an LZ4 frame of version 1, found a header with flags ${flags} and block descriptor ${sizes}`,
    );
  if (flags & 1)
    throw new Damaged("LZ4 frames that need a dictionary are not supported");
  let contentBytes: number | null = null;
  if (flags & 8) {
    const size = source.take(8, "an LZ4 frame's content size").slice();
    header.push(...size);
    contentBytes = Number(new DataView(size.buffer).getBigUint64(0, true));
  }
  const expected = (new Xxh32().add(Uint8Array.from(header)).value >> 8) & 255;
  const [found = 0] = source.take(1, "an LZ4 frame's header");
  check("an LZ4 frame's header", expected, found);
  return {
    blockBytes: 1 << (8 + 2 * sizeCode),
    linked: (flags & 32) === 0,
    blockChecksums: (flags & 16) !== 0,
    contentChecksum: (flags & 4) !== 0,
    contentBytes,
  };
}

function check(what: string, expected: number, found: number): void {
  if (expected !== found)
    throw new Damaged(
      `expected checksum ${expected} of ${what}, found ${found}`,
    );
}
