import { fileURLToPath } from "node:url";
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import { distFile } from "../support/dist.js";

/** Preload that disables SIMD, which makes the command slower. */
export const NO_SIMD = fileURLToPath(
  new URL("../support/no-simd.mjs", import.meta.url),
);

export const CLI = distFile("cli.js");
export const DIGITS = fileURLToPath(
  new URL("../../data/digits-logits.arrow", import.meta.url),
);

/** Exit code and output of a command. */
export type Finished = { status: number; stdout: string; stderr: string };

type Where = { cwd?: string; env?: Record<string, string | undefined> };

type Thread = { port: MessagePort; state: Int32Array };

/** Time limit of a command in milliseconds. */
const LIMIT = 120_000;

// Test files in one process share the thread.
const shared = globalThis as { softjacCommands?: Thread };

/** Runs the built command in a process that is reused, because a new one takes a third of a second to start. */
export function softjac(...args: string[]): Finished {
  return softjacIn({}, ...args);
}

/** Runs a command line written as a template; a value never splits into several words. */
export function typed(...line: Parameters<typeof wordsOf>): Finished {
  return softjac(...wordsOf(...line));
}

/** Returns the words of a command line written as a template. */
export function wordsOf(
  texts: TemplateStringsArray,
  ...values: readonly unknown[]
): string[] {
  let used = 0;
  return texts
    .join("\0")
    .trim()
    .split(/\s+/)
    .map((word) => word.replace(/\0/g, () => `${values[used++]}`));
}

/** Runs the built command in a directory with additional environment variables; undefined removes a variable. */
export function softjacIn(
  { cwd = process.cwd(), env = {} }: Where,
  ...args: string[]
): Finished {
  shared.softjacCommands ??= start();
  const { port, state } = shared.softjacCommands;
  Atomics.store(state, 0, 0);
  port.postMessage({ args, cwd, env: defined({ ...process.env, ...env }) });
  if (Atomics.wait(state, 0, 0, LIMIT) === "timed-out")
    throw new Error(`softjac ${args.join(" ")} did not end`);
  return receiveMessageOnPort(port)?.message;
}

function start(): Thread {
  const { port1, port2 } = new MessageChannel();
  const state = new Int32Array(new SharedArrayBuffer(4));
  new Worker(new URL("./command-thread.mjs", import.meta.url), {
    workerData: {
      server: fileURLToPath(new URL("./command-server.mjs", import.meta.url)),
      cli: CLI,
      port: port2,
      state,
    },
    transferList: [port2],
  }).unref();
  port1.unref();
  return { port: port1, state };
}

function defined(
  env: Record<string, string | undefined>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined,
    ),
  );
}
