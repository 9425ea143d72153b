import type { WorkerSetup } from "../src/pool/protocol.js";
import { readInto } from "./read-source.js";

/** Whether bit `first + k` of the input's bitmap at `position` is set, for k under `count`; null where there is none (0). */
export function readBits(
  setup: WorkerSetup,
  position: number,
  first: number,
  count: number,
): ((k: number) => boolean) | null {
  if (position === 0) return null;
  const start = Math.floor(first / 8);
  const bytes = new Uint8Array(Math.ceil((first + count) / 8) - start);
  readInto(setup, bytes, position + start);
  const skip = first - 8 * start;
  return (k) =>
    (((bytes[(skip + k) >> 3] as number) >> ((skip + k) & 7)) & 1) === 1;
}
