import { readFully } from "../src/io/positional.js";
import { PresentBlocks } from "../src/io/present-blocks.js";
import type { WorkerSetup } from "../src/pool/protocol.js";
import { withSide } from "./task-failure.js";

/** Reads bytes of the input, or of a source's own file, to an address of the slots' memory. */
export function readSource(
  setup: WorkerSetup,
  address: number,
  bytes: number,
  position: number,
  fd: number | null = null,
): void {
  const target = new Uint8Array(setup.buffer, address, bytes);
  const from = fd === null ? setup : { sourceFd: fd, sourcePresent: null };
  readInto(from, target, position);
}

/** Fills `target` with bytes of the input. */
export function readInto(
  { sourceFd, sourcePresent }: Pick<WorkerSetup, "sourceFd" | "sourcePresent">,
  target: Uint8Array,
  position: number,
): void {
  withSide("input", () => {
    if (sourcePresent) {
      const { bytes, shared } = sourcePresent;
      new PresentBlocks(bytes, shared).check(position, target.byteLength);
    }
    readFully(sourceFd, target, position);
  });
}
