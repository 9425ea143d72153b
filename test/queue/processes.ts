import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { CLI } from "../cli/support.js";

/** A command of ours that runs beside the test. */
export interface Started {
  child: ChildProcess;
  /** What it has said on standard error so far. */
  said(): string;
  /** Resolves once it has said something; rejects where it ends before. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Exit code or signal, and all that it said. */
  ended: Promise<{ code: number | string; stderr: string; stdout: string }>;
}

interface StartOptions {
  env?: Record<string, string> | undefined;
  /** Modules of this folder, loaded before the command. */
  preload?: string[];
  cwd?: string;
  cli?: string;
}

const running = new Set<ChildProcess>();

/** Of a test that failed, workers would go on with the next one's parts. */
export async function endAll(): Promise<void> {
  const ends = [...running].map((child) => once(child, "close"));
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(ends);
}

afterAll(endAll);

/** Starts the built command; it ends with the test file at the latest. */
export function start(
  args: readonly string[],
  { env = {}, preload = [], cwd, cli = CLI }: StartOptions = {},
): Started {
  const imports = preload.flatMap((name) => [
    "--import",
    fileURLToPath(new URL(name, import.meta.url)),
  ]);
  return startProgram(process.execPath, [...imports, cli, ...args], env, cwd);
}

/** Starts any program in the same way. */
export function startProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd?: string,
): Started {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd && { cwd }),
  });
  running.add(child);
  let stderr = "";
  let stdout = "";
  const heard = new Set<() => void>();
  child.stderr?.setEncoding("utf8").on("data", (piece) => {
    stderr += piece;
    for (const hear of heard) hear();
  });
  child.stdout?.setEncoding("utf8").on("data", (piece) => {
    stdout += piece;
  });
  const ended = new Promise<{ code: number | string }>((resolve) => {
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve({ code: code ?? (signal as string) });
    });
  }).then(({ code }) => ({ code, stderr, stdout }));
  return {
    child,
    said: () => stderr,
    ended,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const hear = () => {
          const found = pattern.exec(stderr);
          if (!found) return;
          heard.delete(hear);
          resolve(found);
        };
        heard.add(hear);
        ended.then(({ code }) =>
          reject(new Error(`ended with ${code}, and no ${pattern}: ${stderr}`)),
        );
        hear();
      }),
  };
}
