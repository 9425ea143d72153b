import { writeFully } from "../io/positional.js";
import {
  type BlockPlace,
  dictionaryMessage,
  type RecordBatchMetadata,
} from "./arrow-encode.js";
import { dictionaryMetadata } from "./jacobian-file.js";

const COPY_BYTES = 1 << 20;

/** A dictionary batch of the input: what it says of itself, and where its body stands there. */
export interface SourceDictionary {
  id: number;
  isDelta: boolean;
  batch: Omit<RecordBatchMetadata, "bodyBytes">;
  bodyStart: number;
  bodyBytes: number;
}

/** The dictionary's metadata, written anew: nothing of the input's own metadata is carried over unread. */
export function encodeDictionary(source: SourceDictionary): Uint8Array {
  const { id, isDelta, batch, bodyBytes } = source;
  return dictionaryMessage(id, isDelta, { ...batch, bodyBytes });
}

/** Writes the dictionary messages to their places, the bodies as `read` gives them from the input. */
export function copyDictionaries(
  read: (target: Uint8Array, position: number) => void,
  outputFd: number,
  sources: readonly SourceDictionary[],
  places: readonly BlockPlace[],
): void {
  places.forEach((place, k) => {
    const source = sources[k] as SourceDictionary;
    const { offset, bytes } = dictionaryMetadata(
      place,
      encodeDictionary(source),
    );
    writeFully(outputFd, bytes, offset);
    const to = place.offset + place.metadataBytes;
    for (let at = 0; at < source.bodyBytes; at += COPY_BYTES) {
      const part = new Uint8Array(Math.min(COPY_BYTES, source.bodyBytes - at));
      read(part, source.bodyStart + at);
      writeFully(outputFd, part, to + at);
    }
  });
}
