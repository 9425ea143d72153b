import { readFully } from "../src/io/positional.js";
import type { WorkerSetup } from "../src/pool/protocol.js";
import { withSide } from "./task-failure.js";

/** Reads bytes of the input to an address of the slots' memory. */
export function readSource(
  { buffer, sourceFd }: WorkerSetup,
  address: number,
  bytes: number,
  position: number,
): void {
  withSide("input", () =>
    readFully(sourceFd, new Uint8Array(buffer, address, bytes), position),
  );
}
