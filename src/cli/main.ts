#!/usr/bin/env node
import { forceExit, listenToSignals } from "./signals.js";
import { closeLostTerminals, internalError, log } from "./streams.js";

// Handlers come before all other modules, so that signals during start-up behave as they do later.
listenToSignals();
process.on("uncaughtException", crash);
process.on("exit", closeLostTerminals);

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

/** Reports an uncaught error in one line, without the source line of the bundle that Node prints. */
function crash(error: unknown): never {
  const internal = 70;
  log.write(`softjac: ${internalError(error)}\n`);
  forceExit(internal);
}
