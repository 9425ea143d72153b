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

/** Returns a function that records the end of the call. */
function begun(call, path, to, flags) {
  const begin = moments++;
  const isFolder = lstatSync(path, { throwIfNoEntry: false })?.isDirectory();
  return (error) => {
    const end = moments++;
    const about = { call, path, to, flags, begin, end, isFolder };
    const note = { ...about, error: error?.code };
    appendFileSync(RECORD_CALLS, `${JSON.stringify(note)}\n`);
  };
}

/** Paths of a call by the kind of its arguments. */
const ABOUT = {
  path: ([path]) => [resolve(String(path))],
  paths: ([from, to]) => [resolve(String(from)), resolve(String(to))],
  fd: ([fd]) => [paths.get(fd) ?? `descriptor ${fd}`],
  handle: (_, self) => [paths.get(self.fd) ?? `descriptor ${self.fd}`],
};

const opened = (file, path) => paths.set(file.fd ?? file, path);

function failure(call) {
  if (LINK_FAILS === undefined || !call.startsWith("link")) return null;
  return Object.assign(new Error(`${LINK_FAILS}: no links here`), {
    code: LINK_FAILS,
  });
}

function record(object, name, kind, about, call = name) {
  const original = object[name];
  const note = (self, args) => {
    const [path, to] = ABOUT[about](args, self);
    const flags = call === "open" ? (args[1] ?? "r") : undefined;
    const ended = begun(call, path, to, flags);
    return (error, result) => {
      if (!error && call === "open") opened(result, path);
      ended(error);
    };
  };
  const wrapped = {
    sync(...args) {
      const ended = note(this, args);
      try {
        const failed = failure(call);
        if (failed) throw failed;
        const result = original.apply(this, args);
        ended(null, result);
        return result;
      } catch (error) {
        ended(error);
        throw error;
      }
    },
    async promise(...args) {
      const ended = note(this, args);
      try {
        const failed = failure(call);
        if (failed) throw failed;
        const result = await original.apply(this, args);
        ended(null, result);
        return result;
      } catch (error) {
        ended(error);
        throw error;
      }
    },
    callback(...args) {
      const done = args.pop();
      const ended = note(this, args);
      original.call(this, ...args, (error, ...results) => {
        ended(error, ...results);
        done(error, ...results);
      });
    },
  };
  object[name] = wrapped[kind];
}

if (isMainThread) {
  const handle = await promises.open(process.execPath);
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  for (const name of ["mkdir", "open", "rm", "unlink"])
    record(promises, name, "promise", "path");
  for (const name of ["link", "rename"])
    record(promises, name, "promise", "paths");
  record(prototype, "sync", "promise", "handle", "fsync");
  record(prototype, "datasync", "promise", "handle", "fdatasync");
  for (const name of ["mkdir", "open", "rm", "unlink"])
    record(fs, `${name}Sync`, "sync", "path", name);
  for (const name of ["link", "rename"])
    record(fs, `${name}Sync`, "sync", "paths", name);
  for (const name of ["fsync", "fdatasync"]) {
    record(fs, `${name}Sync`, "sync", "fd", name);
    record(fs, name, "callback", "fd");
  }
  syncBuiltinESMExports();
}
