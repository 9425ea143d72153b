import { OutputClosedError } from "../errors.js";
import { STREAM_START } from "./jacobian-file.js";
import type { PendingOutput } from "./output-target.js";
import type { ByteStream } from "./standard-output.js";

/** Written at once. */
const STEP_BYTES = 4 << 20;

/**
 * A stream for a planned run: its bytes are put where they would stand in the file, of which a part is in memory, and
 * leave from there in order. `bytes` 0: nothing is put, what is written is given to `stream` (the ordered writer).
 */
export function openStreamedOutput(
  bytes: number,
  stream: ByteStream,
): PendingOutput {
  const ring = bytes > 0 ? new SharedArrayBuffer(bytes) : null;
  const memory = new Uint8Array(ring ?? new ArrayBuffer(0));
  let sent = 0;
  let complete = 0;
  let stopped = false;
  let failed: { error: unknown } | null = null;
  let sending: Promise<void> | null = null;
  let waiting: (() => void)[] = [];

  const wake = () => {
    const all = waiting;
    waiting = [];
    for (const resolve of all) resolve();
  };
  const send = async () => {
    if (sent === 0) sent = STREAM_START;
    while (sent < complete && !stopped) {
      const at = sent % bytes;
      const step = Math.min(complete - sent, bytes - at, STEP_BYTES);
      const part = memory.subarray(at, at + step);
      await stream.write(part);
      sent += step;
      wake();
    }
  };
  const start = () => {
    sending ??= send()
      .catch((error) => {
        if (!stopped) failed = { error };
        stopped = true;
        wake();
      })
      .finally(() => {
        sending = null;
        if (sent < complete && !stopped) start();
      });
  };
  const idle = async () => {
    while (sending) await sending;
    if (failed) throw failed.error;
  };
  return {
    fd: -1,
    compare: false,
    direct: -1,
    ring,
    stream,
    temporaryPath: "",
    wrote: () => {},
    async room(end) {
      while (end > sent + bytes && !stopped)
        await new Promise<void>((resolve) => waiting.push(resolve));
      if (failed) throw failed.error;
    },
    clear(start, end) {
      for (let at = start; at < end; ) {
        const from = at % bytes;
        const step = Math.min(end - at, bytes - from);
        memory.fill(0, from, from + step);
        at += step;
      }
    },
    complete(end) {
      complete = Math.max(complete, end);
      start();
    },
    stop() {
      stopped = true;
      stream.destroy();
      wake();
    },
    async commit() {
      await idle();
      if (stopped) throw new OutputClosedError("standard output");
      await stream.end();
    },
    async discard() {
      // What is being written may wait for a reader who never comes: nobody waits for that.
      stopped = true;
      stream.destroy();
      wake();
    },
  };
}
