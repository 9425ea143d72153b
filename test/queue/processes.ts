import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll, expect } from "vitest";
import { CLI } from "../cli/support.js";

export type Ended = { code: number | string; stderr: string; stdout: string };

/** A program that runs while the test continues. */
export interface Started {
  child: ChildProcessWithoutNullStreams;
  /** Returns its standard error so far. */
  said(): string;
  /** Resolves once standard error matches; rejects if the program ends before. */
  until(pattern: RegExp): Promise<void>;
  /** Exit code or signal, and all output. */
  ended: Promise<Ended>;
}

export interface StartOptions {
  env?: Record<string, string> | undefined;
  /** Modules that the command loads first, relative to this directory. */
  preload?: string[];
  cwd?: string;
  cli?: string;
  /** Whether standard input stays open, so that the test can write to it. */
  stdin?: boolean;
}

/** Modules by which threads do something at a file, and the command says which signals it gets. */
export const THREADS_AND_SIGNALS = [
  ...["../dataset/threads-that.mjs", "../support/says-signals.mjs"],
];

const running = new Set<ChildProcessWithoutNullStreams>();

/** Kills the programs of a test, which could disturb the next one if the test failed. */
export async function endAll(): Promise<void> {
  const ends = [...running].map((child) => once(child, "close"));
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(ends);
}

afterAll(endAll);

/** Waits for the end with an exit code or signal, and with texts on standard error. */
export async function expectCode(
  { ended }: { ended: Ended | Promise<Ended> },
  code: number | string,
  ...texts: (string | RegExp)[]
): Promise<Ended> {
  const found = await ended;
  for (const text of texts) expect(found.stderr).toMatch(text);
  expect(found.code, found.stderr).toBe(code);
  return found;
}

/** Starts the built command. */
export function start(
  args: readonly string[],
  { env = {}, preload = [], cli = CLI, ...more }: StartOptions = {},
): Started {
  const imports = preload.flatMap((name) => [
    "--import",
    fileURLToPath(new URL(name, import.meta.url)),
  ]);
  return startProgram(process.execPath, [...imports, cli, ...args], env, more);
}

/** Starts any program in the same way. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { cwd = process.cwd(), stdin = false }: StartOptions = {},
): Started {
  const child = spawn(program, args, {
    ...{ cwd, env: { ...process.env, ...env } },
  });
  if (!stdin) child.stdin.end();
  running.add(child);
  let stderr = "";
  let stdout = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  const ended = once(child, "close").then(([code, signal]) => {
    running.delete(child);
    return { code: code ?? signal, stderr, stdout };
  });
  return {
    ...{ child, ended, said: () => stderr },
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = () => {
          if (!pattern.test(stderr)) return;
          child.stderr.off("data", check);
          resolve();
        };
        child.stderr.on("data", check);
        ended.then(({ code }) =>
          reject(new Error(`ended with ${code} before ${pattern}: ${stderr}`)),
        );
        check();
      }),
  };
}
