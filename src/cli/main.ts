#!/usr/bin/env node
import { existsSync, mkdirSync, statSync } from "node:fs";
import module from "node:module";
import { isAbsolute, join } from "node:path";
import { forceExit, listenToSignals } from "./signals.js";
import { closeLostTerminals, internalError, log } from "./streams.js";

// Handlers come before all other modules, so that signals during start-up behave as they do later.
listenToSignals();
process.on("uncaughtException", crash);
process.on("exit", closeLostTerminals);
keepCompiledCode();

/** Fulfilled when the command has ended. */
export const ended = import("./command-line.js")
  .then(async ({ main }) => {
    // A whole turn of the event loop handles signals that arrived while modules were loaded.
    for (let n = 0; n < 2; n++) await new Promise(setImmediate);
    return main(process.argv.slice(2));
  })
  .then((code) => {
    // process.exit() would drop output that is still queued for a pipe.
    process.exitCode = code;
  }, crash);

/** Keeps compiled code between runs, which Node.js can do from version 22 on, in a directory of the user. */
function keepCompiledCode(): void {
  const { enableCompileCache } = module as {
    enableCompileCache?: (directory: string) => unknown;
  };
  const { HOME, XDG_CACHE_HOME } = process.env;
  const caches = XDG_CACHE_HOME || join(HOME ?? "", ".cache");
  if (enableCompileCache === undefined || !isAbsolute(caches)) return;
  const directory = join(caches, "softjac");
  // Not recursive: in /proc, Node.js would then try without end.
  for (const path of [caches, directory])
    if (!existsSync(path)) attempt(() => mkdirSync(path, 0o700));
  // Another owner, such as the user who calls sudo, could place code there.
  const owner = attempt(() => statSync(directory).uid);
  if (owner === null || owner !== process.getuid?.()) return;
  enableCompileCache(directory);
  // Worker threads read it when they start.
  process.env.NODE_COMPILE_CACHE ??= directory;
}

/** Returns the result of a call of the file system; null if it fails. */
function attempt<Result>(call: () => Result): Result | null {
  try {
    return call();
  } catch {
    return null;
  }
}

/** Reports an uncaught error in one line, without the source line of the bundle that Node prints. */
function crash(error: unknown): never {
  const internal = 70;
  log.write(`softjac: ${internalError(error)}\n`);
  forceExit(internal);
}
