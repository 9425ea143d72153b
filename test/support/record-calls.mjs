// Preload that appends each call of the main thread that opens, syncs, links, renames or removes a file or makes a directory
// to the file RECORD_CALLS, one JSON object per line. `begin` and `end` are logical times. LINK_FAILS=<code> makes every hard
// link fail, as on file systems without hard links.
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { resolve } from "node:path";
import { isMainThread } from "node:worker_threads";

const { RECORD_CALLS, LINK_FAILS } = process.env;
const { appendFileSync, lstatSync } = fs;
/** Paths of open descriptors. */
const paths = new Map();
let moments = 0;

const pathOf = (fd) => paths.get(fd) ?? `descriptor ${fd}`;
/** Paths of a call by the kind of its arguments. */
const PATHS = {
  path: ([path]) => [resolve(String(path))],
  paths: ([from, to]) => [resolve(String(from)), resolve(String(to))],
  fd: ([fd]) => [pathOf(fd)],
  handle: (_, { fd }) => [pathOf(fd)],
};

/** Returns a function that records the end of the call. */
function begun(call, [path, to], flags) {
  const begin = moments++;
  const isFolder = lstatSync(path, { throwIfNoEntry: false })?.isDirectory();
  return (error) => {
    const times = { begin, end: moments++ };
    const about = { call, path, to, flags, ...times, isFolder };
    const note = { ...about, error: error?.code };
    appendFileSync(RECORD_CALLS, `${JSON.stringify(note)}\n`);
  };
}

/** Replaces a method that returns, returns a promise or calls back by one that records its calls. */
function record(object, name, about, call = name) {
  const original = object[name];
  object[name] = function recorded(...args) {
    const found = PATHS[about](args, this);
    const flags = call === "open" ? (args[1] ?? "r") : undefined;
    const ended = begun(call, found, flags);
    const done = args.at(-1);
    if (typeof done === "function")
      return original.call(this, ...args.slice(0, -1), (error, ...results) => {
        ended(error);
        done(error, ...results);
      });
    const succeed = (result) => {
      if (call === "open") paths.set(result.fd ?? result, found[0]);
      ended();
      return result;
    };
    const fail = (error) => {
      ended(error);
      throw error;
    };
    if (LINK_FAILS && call.startsWith("link")) {
      const message = `${LINK_FAILS}: no links here`;
      return fail(Object.assign(new Error(message), { code: LINK_FAILS }));
    }
    try {
      const result = original.apply(this, args);
      if (result instanceof Promise) return result.then(succeed, fail);
      return succeed(result);
    } catch (error) {
      return fail(error);
    }
  };
}

if (isMainThread) {
  const handle = await promises.open(process.execPath);
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  for (const [about, names] of [
    ["path", ["mkdir", "open", "rm", "unlink"]],
    ["paths", ["link", "rename"]],
  ])
    for (const name of names) {
      record(promises, name, about);
      record(fs, `${name}Sync`, about, name);
    }
  record(prototype, "sync", "handle", "fsync");
  record(prototype, "datasync", "handle", "fdatasync");
  for (const name of ["fsync", "fdatasync"]) {
    record(fs, `${name}Sync`, "fd", name);
    record(fs, name, "fd");
  }
  syncBuiltinESMExports();
}
