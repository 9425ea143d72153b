// Preload that acts when the main thread makes a call on a path. AT: an action, a time and a call, such as "hold before link",
// and a pattern of the path (the new one for link).
// - calls: link, openSync, ftruncateSync, or redis (sending a large message with jobs, of which half is sent)
// - actions: kill, stop, block (the event loop) or hold until the file AT_FILE exists, enospc while it does not exist
// - AT_ONCE: a file that the first process to act creates; no other acts
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { Socket } from "node:net";
import { isMainThread } from "node:worker_threads";

const { AT = "", AT_FILE, AT_ONCE } = process.env;
const [action, time, call, pattern = "."] = AT.split(" ");
const kill = () => process.kill(process.pid, "SIGKILL");

function isTurn(path) {
  if (!new RegExp(pattern).test(String(path))) return false;
  if (action === "enospc") return !fs.existsSync(AT_FILE);
  if (!AT_ONCE) return true;
  try {
    fs.closeSync(fs.openSync(AT_ONCE, "wx"));
    return true;
  } catch {
    return false;
  }
}

function act(path) {
  fs.writeSync(2, `at-call: ${action} ${time} ${call} ${path}\n`);
  if (action === "kill") kill();
  if (action === "stop") process.kill(process.pid, "SIGSTOP");
  while (action === "block" && !fs.existsSync(AT_FILE))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  if (action === "enospc")
    throw Object.assign(new Error("ENOSPC: no space"), { code: "ENOSPC" });
}

async function actAndHold(path) {
  act(path);
  while (action === "hold" && !fs.existsSync(AT_FILE))
    await new Promise((resolve) => setTimeout(resolve, 20));
}

if (isMainThread) {
  const { link } = promises;
  const { openSync, ftruncateSync } = fs;
  const { write } = Socket.prototype;
  const paths = new Map();
  if (call === "link")
    promises.link = async (from, to) => {
      const turn = isTurn(to);
      if (turn && time === "before") await actAndHold(to);
      await link(from, to);
      if (turn && time === "after") await actAndHold(to);
    };
  if (call === "openSync" || call === "ftruncateSync")
    fs.openSync = (path, ...args) => {
      const fd = openSync(path, ...args);
      paths.set(fd, path);
      if (call === "openSync" && isTurn(path)) act(path);
      return fd;
    };
  if (call === "ftruncateSync")
    fs.ftruncateSync = (fd, ...args) => {
      if (isTurn(paths.get(fd))) act(paths.get(fd));
      return ftruncateSync(fd, ...args);
    };
  if (call === "redis")
    Socket.prototype.write = function (data, ...rest) {
      const text = typeof data === "string" ? data : data.toString("latin1");
      return /\.0-\d/.test(text) && text.length >= 500
        ? write.call(this, data.slice(0, text.length / 2), kill)
        : write.call(this, data, ...rest);
    };
  syncBuiltinESMExports();
}
