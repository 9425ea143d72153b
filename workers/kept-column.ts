import { DamagedColumn, readerOf } from "../src/arrow/kept-nodes.js";
import { NodeCopier, type NodeTarget } from "../src/arrow/node-copier.js";
import { outputNodes } from "../src/arrow/node-reader.js";
import type { Read } from "../src/arrow/read-window.js";
import { putBytes } from "../src/io/put-bytes.js";
import type { KeptColumnTask, WorkerSetup } from "../src/pool/protocol.js";
import { readInto } from "./slot-bytes.js";
import { TaskFailure, withSide } from "./task-failure.js";

/**
 * Copies one kept column of an output record batch from the input's batches that it spans, into the output or into
 * `target`. Returns the nulls of each node.
 */
export function copyKeptColumn(
  setup: WorkerSetup,
  { column, pieces, nodes }: KeptColumnTask,
  target: SharedArrayBuffer | null,
): number[] {
  const read: Read = (position, bytes) => {
    const found = new Uint8Array(bytes);
    const own = { sourceFd: column.fd ?? -1, sourcePresent: null };
    readInto(column.fd === null ? setup : own, found, position);
    return found;
  };
  const write = (source: Uint8Array, position: number) => {
    if (target) new Uint8Array(target).set(source, position);
    else withSide("output", () => putBytes(setup.output, source, position));
  };
  try {
    return outputNodes(column, () => pieces, read).map(
      ({ node, pieces }, k) => {
        const copier = new NodeCopier(
          node,
          nodes[k] as NodeTarget,
          readerOf(node, read),
          write,
        );
        for (const piece of pieces()) copier.copy(piece);
        return copier.finish();
      },
    );
  } catch (error) {
    if (!(error instanceof DamagedColumn)) throw error;
    const { where, message: text } = error;
    throw new TaskFailure({ kind: "damaged", where, text });
  }
}
