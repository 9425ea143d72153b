// Loaded before the command: does something when the main thread makes a call on a path. AT_CALL: link, openSync, fsync or
// ftruncateSync; AT_PATH: a pattern of the path (of the new name, for link); AT_WHEN: before or after; AT_ONCE: a file that
// the first makes who does it, and is the last; AT_DO: kill, stop, block (the event loop) or hold, both until the file
// AT_FILE is there, enospc (while the file AT_FILE is not there).
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { isMainThread } from "node:worker_threads";

const { AT_CALL, AT_PATH, AT_WHEN, AT_ONCE, AT_DO, AT_FILE } = process.env;
const pattern = new RegExp(AT_PATH ?? ".");
const paths = new Map();
const say = (text) => fs.writeSync(2, `at-call: ${text}\n`);

function isTurn(path) {
  if (!pattern.test(String(path))) return false;
  if (AT_DO === "enospc") return !fs.existsSync(AT_FILE);
  if (!AT_ONCE) return true;
  try {
    fs.closeSync(fs.openSync(AT_ONCE, "wx"));
    return true;
  } catch {
    return false;
  }
}

function doNow(path) {
  say(`${AT_DO} ${AT_WHEN} ${AT_CALL} ${path}`);
  if (AT_DO === "kill") process.kill(process.pid, "SIGKILL");
  if (AT_DO === "stop") process.kill(process.pid, "SIGSTOP");
  if (AT_DO === "block")
    while (!fs.existsSync(AT_FILE))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  if (AT_DO === "enospc")
    throw Object.assign(new Error("ENOSPC: no space left on device"), {
      code: "ENOSPC",
    });
}

async function doSoon(path) {
  doNow(path);
  while (AT_DO === "hold" && !fs.existsSync(AT_FILE))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

if (isMainThread && AT_CALL === "link") {
  const { link } = promises;
  promises.link = async (from, to) => {
    const turn = isTurn(to);
    if (turn && AT_WHEN === "before") await doSoon(to);
    const result = await link(from, to);
    if (turn && AT_WHEN === "after") await doSoon(to);
    return result;
  };
} else if (isMainThread && AT_CALL) {
  const { openSync } = fs;
  fs.openSync = (path, ...args) => {
    const fd = openSync(path, ...args);
    paths.set(fd, path);
    if (AT_CALL === "openSync" && isTurn(path)) doNow(path);
    return fd;
  };
  const { ftruncateSync } = fs;
  fs.ftruncateSync = (fd, ...args) => {
    if (AT_CALL === "ftruncateSync" && isTurn(paths.get(fd)))
      doNow(paths.get(fd));
    return ftruncateSync(fd, ...args);
  };
}
syncBuiltinESMExports();
