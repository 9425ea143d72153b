import { constants, crc32, inflateRawSync } from "node:zlib";
import type { InputFile } from "../input-file.js";
import { readInput } from "../read-input.js";
import { memberBytes, type ZipMember } from "./zip-members.js";

/** More than blocks of deflated bytes add to what cannot be made smaller. */
const SLACK_BYTES = 1024;

/** A thousand times what heads have: deflating makes nothing smaller than that. */
const MAX_INFLATED_BYTES = 8 << 20;

/**
 * The first `bytes` of a member, fewer where there are no more: of a member that is no longer, the checksum is checked.
 * @throws InputFormatError, IoError
 */
export async function memberHead(
  file: InputFile,
  member: ZipMember,
  bytes: number,
): Promise<Uint8Array> {
  const head = member.method === 0 ? null : inflatedHead(file, member, bytes);
  if (head) return head;
  const pieces: Uint8Array[] = [];
  let found = 0;
  for await (const piece of memberBytes(file, member)) {
    pieces.push(piece);
    found += piece.length;
    if (found >= bytes) break;
  }
  return new Uint8Array(Buffer.concat(pieces).subarray(0, bytes));
}

/**
 * The same of a deflated member at once, since the streams that unpack any member take a millisecond to set up and there
 * may be a million members; null where that is not enough, or something is wrong: then they are for saying what.
 */
function inflatedHead(
  file: InputFile,
  member: ZipMember,
  bytes: number,
): Uint8Array | null {
  const input = new Uint8Array(Math.min(member.packed, bytes + SLACK_BYTES));
  readInput(file, input, member.position);
  const whole = member.bytes <= bytes && input.length === member.packed;
  try {
    const { buffer, engine } = inflateRawSync(input, {
      info: true,
      maxOutputLength: MAX_INFLATED_BYTES,
      finishFlush: whole ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    const sound = whole
      ? buffer.length === member.bytes &&
        engine.bytesWritten === member.packed &&
        crc32(buffer) === member.crc
      : buffer.length >= bytes && buffer.length <= member.bytes;
    return sound ? new Uint8Array(buffer.subarray(0, bytes)) : null;
  } catch {
    return null;
  }
}
