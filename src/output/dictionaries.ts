import type { CopiedDictionary } from "../arrow/copied-nodes.js";
import { dictionaryMessage, framed } from "../arrow/encode-messages.js";
import type { Read } from "../arrow/read-window.js";
import {
  headPiece,
  type JacobianFileHead,
  type Piece,
} from "./jacobian-file.js";

const COPY_BYTES = 1 << 20;

/** Encodes the metadata of a dictionary from decoded fields, since the input's metadata is untrusted. */
export function encodeDictionary(source: CopiedDictionary): Uint8Array {
  const { id, isDelta, batch, bodyBytes } = source;
  const { rows, nodes, buffers } = batch;
  return dictionaryMessage(id, isDelta, { rows, nodes, buffers, bodyBytes });
}

/** Yields magic, schema and dictionaries; `read` reads the bodies from the input. */
export function* headPieces(
  head: JacobianFileHead,
  sources: readonly CopiedDictionary[],
  read: Read,
): Generator<Piece> {
  yield headPiece(head);
  for (const [k, { offset, metadataBytes }] of head.dictionaries.entries()) {
    const source = sources[k] as CopiedDictionary;
    yield { offset, bytes: framed(encodeDictionary(source), offset) };
    const start = offset + metadataBytes;
    if (source.body) {
      yield { offset: start, bytes: source.body };
      continue;
    }
    for (let done = 0; done < source.bodyBytes; done += COPY_BYTES) {
      const bytes = Math.min(COPY_BYTES, source.bodyBytes - done);
      yield {
        offset: start + done,
        bytes: read(source.bodyStart + done, bytes),
      };
    }
  }
}
