// Ends the process before its work is done. main.ts loads this module first, so it imports no other module of softjac.

/** Signals that stop a command, and their exit codes (128 + signal number). */
export const SIGNAL_EXIT = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type StopSignal = keyof typeof SIGNAL_EXIT;

const names = Object.keys(SIGNAL_EXIT) as StopSignal[];
const controller = new AbortController();
let received: StopSignal | null = null;
let isWorkDone = false;
let cleanUp = () => {};

/** Signal that the first SIGINT, SIGTERM or SIGHUP aborts. */
export const stopSignal: AbortSignal = controller.signal;

/** Returns the first signal that was received; null for none. */
export function stoppedBy(): StopSignal | null {
  return received;
}

/** Installs handlers: the first signal aborts `stopSignal`, the second ends the process. */
export function listenToSignals(): void {
  for (const name of names) process.on(name, handle);
}

function handle(name: StopSignal): void {
  // Once process.exitCode is set, only lines on standard error are left to write.
  if (received || isWorkDone)
    forceExit(Number(process.exitCode ?? SIGNAL_EXIT[name]));
  received = name;
  controller.abort(new Error(name));
}

/** Sets the function that removes temporary files before the process is ended by force. */
export function setCleanUp(clean: () => void): void {
  cleanUp = clean;
}

/** Marks the work as done, with only output left to write: from now on the first signal ends the process. */
export function markWorkDone(): void {
  isWorkDone = true;
}

/** Rejects with the result of `error`, `seconds` after the first signal. */
export function rejectAfterSignal(
  seconds: number,
  error: () => Error,
): Promise<never> {
  return new Promise((_, reject) => {
    const arm = () => {
      setTimeout(() => reject(error()), seconds * 1000).unref();
    };
    if (stopSignal.aborted) arm();
    else stopSignal.addEventListener("abort", arm, { once: true });
  });
}

/** Ends the process by the signal of an exit code, as if it had no handler; does nothing for other exit codes. */
export function endBySignal(exitCode: number): void {
  const signal = signalOf(exitCode);
  if (!signal) return;
  removeHandlers();
  process.kill(process.pid, signal);
}

function signalOf(exitCode: number): StopSignal | undefined {
  return names.find((name) => SIGNAL_EXIT[name] === exitCode);
}

function removeHandlers(): void {
  for (const name of names) process.off(name, handle);
}

/** Seconds that process.exit() may take to stop the threads. */
const EXIT_SECONDS = 3;

/**
 * Removes temporary files and ends the process with an exit code. A thread that hangs in a system call blocks
 * process.exit() forever, so a helper process kills this one if it does not end in time.
 */
export function forceExit(code: number): never {
  const { spawn } = process.getBuiltinModule("node:child_process");
  const signal = signalOf(code) ?? received ?? "SIGTERM";
  removeHandlers();
  const script = `const timer = setTimeout(() => process.kill(${process.pid}, "${signal}"), ${EXIT_SECONDS * 1000}); process.stdin.on("end", () => clearTimeout(timer)).resume();`;
  // The helper's standard input ends with this process. If the helper cannot be started, exit() is all there is.
  spawn(process.execPath, ["-e", script], {
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...process.env, NODE_OPTIONS: "" },
    detached: true,
  }).on("error", () => {});
  cleanUp();
  process.exit(code);
}
