import { OutputClosedError } from "../errors.js";
import { STREAM_START } from "./jacobian-file.js";
import type { PendingOutput } from "./output-target.js";
import type { ByteStream } from "./standard-output.js";

/** Size of one write. */
const STEP_BYTES = 4 << 20;

/**
 * Opens a streamed output of a planned run: workers write bytes to a ring buffer (see WriteTarget), from which they are sent
 * in order.
 * @param bytes size of the ring buffer; 0 if the writer writes to `stream` itself
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
      const from = sent % bytes;
      const step = Math.min(complete - sent, bytes - from, STEP_BYTES);
      await stream.write(memory.subarray(from, from + step));
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
      for (let offset = start; offset < end; ) {
        const from = offset % bytes;
        const step = Math.min(end - offset, bytes - from);
        memory.fill(0, from, from + step);
        offset += step;
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
    // Does not wait for the write in progress: the reader may never read.
    discard: async () => stop(),
  };
}
