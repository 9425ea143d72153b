import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { CLI } from "../../cli/support.js";
import { FaultProxy } from "./fault-proxy.js";
import { ACCESS_KEY, ObjectsServer, SECRET_KEY } from "./objects-server.js";

/** A store with a bucket, a proxy before it, and the environment of those who use it. */
export interface S3World {
  server: ObjectsServer;
  proxy: FaultProxy;
  /** The store itself, and by the proxy. */
  endpoint: string;
  faulty: string;
  env: NodeJS.ProcessEnv;
  /** Puts a file, or the files of a folder. */
  upload(path: string, key: string): void;
  /** What stands under a prefix, by name, as text of its bytes in base 64. */
  under(prefix: string): Map<string, Buffer>;
  /** The same as text, which compares quickly. */
  texts(prefix: string): Record<string, string>;
  /** A prefix under which nothing is, and a location on S3. */
  newPrefix(): string;
  newOutput(): string;
  /** Runs the built command to its end. */
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

/** The location of a prefix. */
export const at3 = (prefix: string) => `s3://${BUCKET}/${prefix}/`;

/** NODE_OPTIONS of a command that is to give a store up quickly. */
export const QUICK_PAUSES = `--import ${fileURLToPath(new URL("quick-pauses.mjs", import.meta.url))}`;

/** Requests of this process that make no progress are repeated after `ms`, not after a minute. */
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
  // Of the calls in this process.
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

/** A file, under the name "", or those of a folder. */
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
