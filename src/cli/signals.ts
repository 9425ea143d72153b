import { SIGNAL_EXIT, type StopSignal } from "./exit-codes.js";

/** A run's way to be stopped from outside. */
export interface Stop {
  signal: AbortSignal;
  /** The signal that came, if one did. */
  stoppedBy(): StopSignal | null;
  /** Gives the signals back to Node. */
  release(): void;
}

/** The first SIGINT, SIGTERM or SIGHUP stops the run between chunks; the second ends the process, after `atOnce`. */
export function stopOnSignals(atOnce: () => void): Stop {
  const controller = new AbortController();
  const names = Object.keys(SIGNAL_EXIT) as StopSignal[];
  let first: StopSignal | null = null;
  const handle = (name: StopSignal) => {
    if (first) {
      atOnce();
      process.exit(SIGNAL_EXIT[name]);
    }
    first = name;
    controller.abort(new Error(name));
  };
  for (const name of names) process.on(name, handle);
  return {
    signal: controller.signal,
    stoppedBy: () => first,
    release() {
      for (const name of names) process.off(name, handle);
    },
  };
}

/** Ends the process by the signal that an exit code stands for, as it would have ended had it not been listened to. */
export function endBySignal(exitCode: number): void {
  for (const [signal, code] of Object.entries(SIGNAL_EXIT))
    if (code === exitCode) process.kill(process.pid, signal);
}
