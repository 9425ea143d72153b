// Preload that kills the process before or after its nth call that changes a file system; or, for "fail", makes the nth call
// of those that may fail so fail with EIO. "fail-count" writes the number of these calls to standard error.
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { KILL_AT, KILL_WHEN } = process.env;
let calls = 0;

const kill = () => process.kill(process.pid, "SIGKILL");
const isTurn = () => ++calls === Number(KILL_AT);
const eio = () => Object.assign(new Error("EIO: i/o error"), { code: "EIO" });

/** Replaces a method by one that calls `changed` in the nth call. */
function replace(object, name, changed) {
  const original = object[name];
  object[name] = function call(...args) {
    if (!isTurn()) return original.apply(this, args);
    if (KILL_WHEN === "before") kill();
    return changed(() => original.apply(this, args), args);
  };
}

if (KILL_WHEN.startsWith("fail")) {
  const handle = await promises.open(process.execPath);
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const rejects = () => Promise.reject(eio());
  for (const name of ["mkdir", "link", "rename"])
    replace(promises, name, rejects);
  replace(prototype, "sync", rejects);
  replace(fs, "fsync", (_, args) => args.at(-1)(eio()));
} else {
  for (const name of ["mkdir", "open", "link", "rename", "rm"])
    replace(promises, name, (call) => call().finally(kill));
  for (const name of ["openSync", "ftruncateSync", "rmSync", "unlinkSync"])
    replace(fs, name, (call) => [call(), kill()][0]);
  replace(fs, "fsync", (call, args) => {
    const done = args.pop();
    args.push((...results) => {
      kill();
      done(...results);
    });
    call();
  });
}
syncBuiltinESMExports();

process.on("exit", () => {
  if (/count$/.test(KILL_WHEN)) fs.writeSync(2, `calls: ${calls}\n`);
});
