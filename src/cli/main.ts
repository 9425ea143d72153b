#!/usr/bin/env node
import { exitForSure, listenToSignals } from "./signals.js";
import { internalError, leaveClosedTerminals, log } from "./streams.js";

// Before anything else is loaded: whoever stops a command in its first moments meets what they meet later.
listenToSignals();
process.on("uncaughtException", crash);
process.on("exit", leaveClosedTerminals);

const { main } = await import("./command-line.js");
// exitCode and not exit(): what is still on its way into a pipe arrives.
process.exitCode = await main(process.argv.slice(2));

/** What nobody has caught is a fault of ours: one sentence, not the bundle's text. */
function crash(error: unknown): never {
  const internal = 70;
  log.write(`softjac: ${internalError(error)}\n`);
  exitForSure(internal);
}
