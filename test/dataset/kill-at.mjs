// Loaded before the command: kills its process at the nth call that changes a file system, before it or after it; or, for
// "fail", has the nth call of those that may fail so give EIO.
import fs from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { KILL_AT, KILL_WHEN } = process.env;
let calls = 0;

const kill = () => process.kill(process.pid, "SIGKILL");
const isTurn = () => ++calls === Number(KILL_AT);

function wrap(object, name, kind) {
  const original = object[name];
  object[name] = function call(...args) {
    const turn = isTurn();
    if (turn && KILL_WHEN === "before") kill();
    if (turn && kind === "callback") {
      const done = args.pop();
      args.push((...results) => {
        kill();
        done(...results);
      });
    }
    const result = original.apply(this, args);
    if (turn && kind === "sync") kill();
    if (turn && kind === "promise") return result.finally(kill);
    return result;
  };
}

if (KILL_WHEN.startsWith("fail")) {
  const handle = await promises.open(process.execPath);
  const prototype = Object.getPrototypeOf(handle);
  await handle.close();
  const eio = () => Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  const failing = (object, name) => {
    const original = object[name];
    object[name] = async function call(...args) {
      if (!isTurn()) return original.apply(this, args);
      throw eio();
    };
  };
  for (const name of ["mkdir", "link", "rename"]) failing(promises, name);
  failing(prototype, "sync");
  const { fsync } = fs;
  fs.fsync = (fd, done) => (isTurn() ? done(eio()) : fsync(fd, done));
} else {
  for (const name of ["mkdir", "open", "link", "rename", "rm"])
    wrap(promises, name, "promise");
  for (const name of ["openSync", "ftruncateSync", "rmSync", "unlinkSync"])
    wrap(fs, name, "sync");
  wrap(fs, "fsync", "callback");
}
syncBuiltinESMExports();

process.on("exit", () => {
  if (/count$/.test(KILL_WHEN)) fs.writeSync(2, `calls: ${calls}\n`);
});
