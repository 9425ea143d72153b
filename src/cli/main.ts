#!/usr/bin/env node
import { existsSync, mkdirSync } from "node:fs";
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

/** Keeps compiled code between runs, which Node.js can do from version 22 on, in a directory that only the user can write. */
function keepCompiledCode(): void {
  const { enableCompileCache } = module as {
    enableCompileCache?: (directory: string) => unknown;
  };
  const { HOME, XDG_CACHE_HOME } = process.env;
  const caches = XDG_CACHE_HOME || join(HOME ?? "", ".cache");
  if (enableCompileCache === undefined || !isAbsolute(caches)) return;
  const directory = join(caches, "softjac");
  for (const path of [caches, directory])
    try {
      // Not recursive: in /proc, Node.js would then try without end.
      mkdirSync(path, 0o700);
    } catch {
      // It exists or cannot be created.
    }
  if (!existsSync(directory)) return;
  enableCompileCache(directory);
  // Worker threads read it when they start.
  process.env.NODE_COMPILE_CACHE ??= directory;
}

/** Reports an uncaught error in one line, without the source line of the bundle that Node prints. */
function crash(error: unknown): never {
  const internal = 70;
  log.write(`softjac: ${internalError(error)}\n`);
  forceExit(internal);
}
