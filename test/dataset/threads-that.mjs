// Loaded before the command: its threads hang, die or dawdle when they read. Each says so once on standard error.
// THREADS_DO: hang, block (in the system, opening the pipe THREADS_PIPE), exit, wait, throw, kill (the process) or oom;
// THREADS_AT: the end of the name of the file that they do it in; THREADS_ONCE: a file that the first to do it makes, so
// that no other does.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

const { THREADS_DO, THREADS_AT, THREADS_ONCE, THREADS_PIPE } = process.env;
const forEver = new Int32Array(new SharedArrayBuffer(4));
const { readSync, writeSync } = fs;
let isSaid = false;

function isTurn(fd) {
  if (!fs.readlinkSync(`/proc/self/fd/${fd}`).endsWith(THREADS_AT))
    return false;
  if (!THREADS_ONCE) return true;
  try {
    fs.closeSync(fs.openSync(THREADS_ONCE, "wx"));
    return true;
  } catch {
    return false;
  }
}

if (!isMainThread) {
  fs.readSync = (...args) => {
    if (isTurn(args[0])) {
      if (!isSaid) writeSync(2, `threads-that: ${THREADS_DO}\n`);
      isSaid = true;
      if (THREADS_DO === "exit") process.exit(3);
      if (THREADS_DO === "block") fs.openSync(THREADS_PIPE, "r");
      if (THREADS_DO === "throw") throw new Error("thrown by the test");
      if (THREADS_DO === "kill") process.kill(process.pid, "SIGKILL");
      if (THREADS_DO === "oom")
        for (const held = []; ; ) held.push(new Array(1 << 16).fill({}));
      Atomics.wait(forEver, 0, 0, THREADS_DO === "wait" ? 200 : Infinity);
    }
    return readSync(...args);
  };
  syncBuiltinESMExports();
}
