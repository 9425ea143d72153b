// How the process ends before its work does. This module imports nothing of ours: main.ts loads it first.

/** The signals that stop a command, and the exit code of a process that they ended (128 + number). */
export const SIGNAL_EXIT = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type StopSignal = keyof typeof SIGNAL_EXIT;

const names = Object.keys(SIGNAL_EXIT) as StopSignal[];
const controller = new AbortController();
let first: StopSignal | null = null;
let isFinishing = false;
let cleanUp = () => {};

/** Aborted by the first signal. */
export const stopSignal: AbortSignal = controller.signal;

/** The first signal that came, if one did. */
export function stoppedBy(): StopSignal | null {
  return first;
}

/** The first SIGINT, SIGTERM or SIGHUP aborts `stopSignal`; the second ends the process. */
export function listenToSignals(): void {
  for (const name of names) process.on(name, handle);
}

function handle(name: StopSignal): void {
  // With its exit code set the command is done, and only lines on standard error are left to write.
  if (first || isFinishing)
    exitForSure(Number(process.exitCode ?? SIGNAL_EXIT[name]));
  first = name;
  controller.abort(new Error(name));
}

/** Has `clean` remove what must not stay where the process ends at once. */
export function cleanUpWith(clean: () => void): void {
  cleanUp = clean;
}

/** Says that the work has ended and only output is left to write: from now on the first signal ends the process. */
export function finishing(): void {
  isFinishing = true;
}

/** Rejects with what `error` returns, `seconds` after the first signal. */
export function overdue(seconds: number, error: () => Error): Promise<never> {
  return new Promise((_, reject) => {
    const arm = () => {
      setTimeout(() => reject(error()), seconds * 1000).unref();
    };
    if (stopSignal.aborted) arm();
    else stopSignal.addEventListener("abort", arm, { once: true });
  });
}

/** Ends the process by the signal that an exit code stands for, as it would have ended had it not been listened to. */
export function endBySignal(exitCode: number): void {
  for (const [signal, code] of Object.entries(SIGNAL_EXIT))
    if (code === exitCode) {
      leaveSignals();
      process.kill(process.pid, signal);
    }
}

function leaveSignals(): void {
  for (const name of names) process.off(name, handle);
}

/** Seconds for exit(), which waits for the threads of the process. */
const EXIT_SECONDS = 3;

/**
 * Ends the process with an exit code, once what must not stay is removed. A thread that hangs in a call of the system
 * would keep exit() for ever, and so would a file system that hangs: another process waits for the end of this one, and
 * ends it by a signal where it does not come.
 */
export function exitForSure(code: number): never {
  const { spawn } = process.getBuiltinModule("node:child_process");
  const ofCode = names.find((name) => SIGNAL_EXIT[name] === code);
  const signal = ofCode ?? first ?? "SIGTERM";
  leaveSignals();
  const script = `const timer = setTimeout(() => process.kill(${process.pid}, "${signal}"), ${EXIT_SECONDS * 1000}); process.stdin.on("end", () => clearTimeout(timer)).resume();`;
  // Its standard input ends with this process. Where no process can be started, exit() alone has to do.
  spawn(process.execPath, ["-e", script], {
    stdio: ["pipe", "ignore", "ignore"],
    env: { ...process.env, NODE_OPTIONS: "" },
    detached: true,
  }).on("error", () => {});
  cleanUp();
  process.exit(code);
}
