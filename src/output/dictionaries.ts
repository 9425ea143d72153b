import { readFully, writeFully } from "../io/positional.js";
import type { BlockPlace } from "./arrow-encode.js";
import { dictionaryMetadata } from "./jacobian-file.js";

const COPY_BYTES = 1 << 20;

/** Copies dictionary messages from the input to their places: the metadata framed anew, the bodies as they are. */
export function copyDictionaries(
  sourceFd: number,
  outputFd: number,
  sources: readonly BlockPlace[],
  places: readonly BlockPlace[],
): void {
  places.forEach((place, k) => {
    const source = sources[k] as BlockPlace;
    const message = new Uint8Array(source.metadataBytes);
    readFully(sourceFd, message, source.offset);
    const { offset, bytes } = dictionaryMetadata(place, unframed(message));
    writeFully(outputFd, bytes, offset);
    const from = source.offset + source.metadataBytes;
    const to = place.offset + place.metadataBytes;
    for (let at = 0; at < source.bodyBytes; at += COPY_BYTES) {
      const part = new Uint8Array(Math.min(COPY_BYTES, source.bodyBytes - at));
      readFully(sourceFd, part, from + at);
      writeFully(outputFd, part, to + at);
    }
  });
}

/** A message's metadata without prefix and padding (before format 0.15 the prefix was the length alone). */
function unframed(message: Uint8Array): Uint8Array {
  const view = new DataView(message.buffer);
  const prefix = view.getUint32(0, true) === 0xffffffff ? 8 : 4;
  return message.subarray(prefix, prefix + view.getInt32(prefix - 4, true));
}
