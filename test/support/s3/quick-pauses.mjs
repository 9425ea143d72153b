// Preload that shortens the pauses between retries of a request to a fiftieth.
import { syncBuiltinESMExports } from "node:module";
import promises from "node:timers/promises";

const { setTimeout } = promises;
promises.setTimeout = (ms, ...rest) => setTimeout(ms / 50, ...rest);
syncBuiltinESMExports();
