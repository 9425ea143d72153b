import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { CLI } from "../../cli/support.js";
import { FaultProxy } from "./fault-proxy.js";
import { ACCESS_KEY, ObjectsServer, SECRET_KEY } from "./objects-server.js";

/** S3 server with a bucket, a proxy that injects faults, and the environment of clients. */
export interface S3World {
  server: ObjectsServer;
  proxy: FaultProxy;
  /** URL of the server. */
  endpoint: string;
  /** URL of the proxy. */
  faulty: string;
  env: NodeJS.ProcessEnv;
  /** Stores a file, or the files of a directory. */
  upload(path: string, key: string): void;
  /** Returns the objects under a prefix, by name. */
  under(prefix: string): Map<string, Buffer>;
  /** Returns the objects under a prefix as latin1 text, which is faster to compare. */
  texts(prefix: string): Record<string, string>;
  /** Returns an empty prefix. */
  newPrefix(): string;
  /** Returns the URL of an empty prefix. */
  newOutput(): string;
  /** Runs the built command. */
  softjac(
    args: readonly string[],
    env?: NodeJS.ProcessEnv,
  ): Promise<Ended> & { kill(signal: NodeJS.Signals): void };
}

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export const BUCKET = "logits";

/** Returns the URL of a prefix. */
export const at3 = (prefix: string) => `s3://${BUCKET}/${prefix}/`;

/** NODE_OPTIONS of a command that gives up on a store quickly. */
export const QUICK_PAUSES = `--import ${fileURLToPath(new URL("quick-pauses.mjs", import.meta.url))}`;

/** Makes this process retry requests without progress after `ms` instead of a minute. */
export function repeatAfter(ms: number): void {
  const { setTimeout } = globalThis;
  const shortened = (call: () => void, delay = 0) =>
    setTimeout(call, delay >= 6e4 && delay < 7e4 ? ms : delay);
  globalThis.setTimeout = Object.assign(shortened, setTimeout);
}

export async function s3World(): Promise<S3World> {
  const server = new ObjectsServer();
  server.bucket(BUCKET);
  const endpoint = await server.start();
  const proxy = new FaultProxy(endpoint);
  const faulty = await proxy.start();
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });
  const own = {
    AWS_ACCESS_KEY_ID: ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  };
  // For calls in this process.
  Object.assign(process.env, own);
  const env = { ...process.env, AWS_ENDPOINT_URL: endpoint };
  const under = (prefix: string) => {
    const found = new Map<string, Buffer>();
    for (const [key, { bytes }] of server.bucket(BUCKET))
      if (key.startsWith(`${prefix}/`))
        found.set(key.slice(prefix.length + 1), bytes);
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  let names = 0;
  const newPrefix = () => `out-${names++}`;
  return {
    newPrefix,
    newOutput: () => at3(newPrefix()),
    texts(prefix) {
      const found = [...under(prefix)];
      return Object.fromEntries(
        found.map(([name, bytes]) => [name, bytes.toString("latin1")]),
      );
    },
    server,
    proxy,
    endpoint,
    faulty,
    env,
    upload(path, key) {
      for (const [name, bytes] of filesIn(path))
        server.put(BUCKET, name === "" ? key : `${key}/${name}`, bytes);
    },
    under,
    softjac: (args, more = {}) => run(args, { ...env, ...more }),
  };
}

/** Returns a file with the name "", or the files of a directory. */
export function filesIn(path: string): [name: string, bytes: Buffer][] {
  try {
    return [["", readFileSync(path)]];
  } catch {
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry): [string, Buffer] => {
        const full = join(entry.parentPath, entry.name);
        return [full.slice(path.length + 1), readFileSync(full)];
      })
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Ended> & { kill(signal: NodeJS.Signals): void } {
  const child = spawn(process.execPath, [CLI, ...args], { env });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (status, signal) =>
      resolve({ status, signal, stdout, stderr }),
    ),
  );
  return Object.assign(ended, {
    kill: (signal: NodeJS.Signals) => {
      child.kill(signal);
    },
  });
}
