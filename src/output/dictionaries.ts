import type { Read } from "../arrow/read-window.js";
import {
  type BlockPlace,
  dictionaryMessage,
  type RecordBatchMetadata,
} from "./arrow-encode.js";
import { dictionaryMetadata, type Piece } from "./jacobian-file.js";

const COPY_BYTES = 1 << 20;

/** A dictionary batch of the input: what it says of itself, and where its body stands there. */
export interface SourceDictionary {
  id: number;
  isDelta: boolean;
  batch: Pick<RecordBatchMetadata, "rows" | "nodes" | "buffers">;
  bodyStart: number;
  bodyBytes: number;
  /** The body, where it does not stand there. */
  body: Uint8Array | null;
}

/** The dictionary's metadata, written anew: nothing of the input's own metadata is carried over unread. */
export function encodeDictionary(source: SourceDictionary): Uint8Array {
  const { id, isDelta, batch, bodyBytes } = source;
  const { rows, nodes, buffers } = batch;
  return dictionaryMessage(id, isDelta, { rows, nodes, buffers, bodyBytes });
}

/** The dictionary messages at their places, in pieces; the bodies as `read` gives them from the input. */
export function* dictionaryPieces(
  read: Read,
  sources: readonly SourceDictionary[],
  places: readonly BlockPlace[],
): Generator<Piece> {
  for (const [k, place] of places.entries()) {
    const source = sources[k] as SourceDictionary;
    yield dictionaryMetadata(place, encodeDictionary(source));
    const to = place.offset + place.metadataBytes;
    if (source.body) {
      yield { offset: to, bytes: source.body };
      continue;
    }
    for (let at = 0; at < source.bodyBytes; at += COPY_BYTES) {
      const bytes = Math.min(COPY_BYTES, source.bodyBytes - at);
      yield { offset: to + at, bytes: read(source.bodyStart + at, bytes) };
    }
  }
}
