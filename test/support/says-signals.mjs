// Preload that reports the first signal on standard error, after the command has handled it.
import { writeSync } from "node:fs";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
  process.once(signal, () =>
    setImmediate(() => writeSync(2, `says-signals: ${signal}\n`)),
  );
