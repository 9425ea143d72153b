// Loaded before the command: the pauses between two tries of a request take a fiftieth of their time.
import { syncBuiltinESMExports } from "node:module";
import promises from "node:timers/promises";

const { setTimeout } = promises;
promises.setTimeout = (ms, ...rest) => setTimeout(ms / 50, ...rest);
syncBuiltinESMExports();
