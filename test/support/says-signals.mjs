// Loaded before the command: the first signal that comes is said on standard error, once the command has heard it.
import { writeSync } from "node:fs";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.once(signal, () =>
    setImmediate(() => writeSync(2, `says-signals: ${signal}\n`)),
  );
