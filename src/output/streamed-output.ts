import { OutputClosedError } from "../errors.js";
import { STREAM_START } from "./jacobian-file.js";
import type { PendingOutput } from "./output-target.js";
import type { ByteStream } from "./standard-output.js";

/** Size of one write. */
const STEP_BYTES = 4 << 20;

/**
 * Opens a stream for a planned run: bytes are put at their position in the file, of which a part is in memory, and leave
 * from there in order. `bytes` 0: the writer writes to `stream` itself.
 */
export function openStreamedOutput(
  bytes: number,
  stream: ByteStream,
): PendingOutput {
  const ring = bytes > 0 ? new SharedArrayBuffer(bytes) : null;
  const memory = new Uint8Array(ring ?? new ArrayBuffer(0));
  let sent = STREAM_START;
  let complete = 0;
  let stopped = false;
  let failed: { error: unknown } | null = null;
  let sending: Promise<void> = Promise.resolve();
  let waiting: (() => void)[] = [];

  const wake = () => {
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  const send = async () => {
    while (sent < complete && !stopped) {
      const at = sent % bytes;
      const step = Math.min(complete - sent, bytes - at, STEP_BYTES);
      await stream.write(memory.subarray(at, at + step));
      sent += step;
      wake();
    }
  };
  const stop = () => {
    stopped = true;
    stream.destroy();
    wake();
  };
  return {
    fd: -1,
    compare: false,
    direct: -1,
    ring,
    stream,
    temporaryPath: "",
    reportWritten: () => {},
    stop,
    async waitForSpace(end) {
      while (end > sent + bytes && !stopped)
        await new Promise<void>((resolve) => waiting.push(resolve));
      if (failed) throw failed.error;
    },
    zeroFill(start, end) {
      for (let at = start; at < end; ) {
        const from = at % bytes;
        const step = Math.min(end - at, bytes - from);
        memory.fill(0, from, from + step);
        at += step;
      }
    },
    markComplete(end) {
      complete = Math.max(complete, end);
      sending = sending.then(send).catch((error) => {
        if (!stopped) failed = { error };
        stopped = true;
        wake();
      });
    },
    async commit() {
      await sending;
      if (failed) throw failed.error;
      if (stopped) throw new OutputClosedError("standard output");
      await stream.end();
    },
    // A write may wait for a reader who never comes: it is not waited for.
    discard: async () => stop(),
  };
}
