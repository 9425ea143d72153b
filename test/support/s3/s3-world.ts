import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import { writeFolder } from "../../dataset/support.js";
import { start } from "../../queue/processes.js";
import { workDirectory } from "../logits-input.js";
import { type Befalling, FaultProxy } from "./fault-proxy.js";
import { ACCESS_KEY, ObjectsServer, SECRET_KEY } from "./objects-server.js";

export const BUCKET = "logits";

/** Returns the URL of a prefix. */
export const at3 = (prefix: string) => `s3://${BUCKET}/${prefix}/`;

/** NODE_OPTIONS of a command that gives up on a store quickly. */
export const QUICK_PAUSES = `--import ${fileURLToPath(new URL("quick-pauses.mjs", import.meta.url))}`;

/** Makes this process retry requests without progress after `ms` instead of a minute. Returns a function that ends this. */
export function repeatAfter(ms: number): () => void {
  const { setTimeout } = globalThis;
  const shortened = (call: () => void, delay = 0) =>
    setTimeout(call, delay >= 6e4 && delay < 7e4 ? ms : delay);
  globalThis.setTimeout = Object.assign(shortened, setTimeout);
  return () => void Object.assign(globalThis, { setTimeout });
}

/** Starts an S3 server with a bucket, and a proxy that injects faults; they stop after the test file. */
export async function s3World() {
  const server = new ObjectsServer();
  server.bucket(BUCKET);
  const endpoint = await server.start();
  const proxy = new FaultProxy(endpoint);
  const faulty = await proxy.start();
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
  });
  // For calls in this process.
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: ACCESS_KEY,
    AWS_SECRET_ACCESS_KEY: SECRET_KEY,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
  });
  const env = { AWS_ENDPOINT_URL: endpoint };
  /** Returns the objects under a prefix, by name. */
  const under = (prefix: string) => {
    const found = [...server.bucket(BUCKET)]
      .filter(([key]) => key.startsWith(`${prefix}/`))
      .map(
        ([key, { bytes }]) => [key.slice(prefix.length + 1), bytes] as const,
      );
    return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  let names = 0;
  const newPrefix = () => `out-${names++}`;
  return {
    ...{ server, proxy, endpoint, faulty, env, under, newPrefix },
    newOutput: () => at3(newPrefix()),
    /** Returns the objects under a prefix as latin1 text, which is faster to compare. */
    texts: (prefix: string): Record<string, string> =>
      Object.fromEntries(
        [...under(prefix)].map(([name, bytes]) => [
          name,
          bytes.toString("latin1"),
        ]),
      ),
    /** Stores a file, or the files of a directory. */
    upload(path: string, key: string): void {
      for (const [name, bytes] of filesIn(path))
        server.put(BUCKET, name === "" ? key : `${key}/${name}`, bytes);
    },
    /** Starts the built command. */
    softjac: (args: readonly string[], more: Record<string, string> = {}) =>
      start(args, { env: { ...env, ...more } }),
    /** Runs `work` with a fault of the proxy. Returns its result, and the first faulty request, or null if there was none. */
    async withFault<T>(befalling: Befalling, work: () => Promise<T>) {
      let where: string | null = null;
      proxy.befalling = {
        ...befalling,
        onFault(request) {
          where ??= `${befalling.fault}: ${request.method} ${request.url}`;
          befalling.onFault?.(request);
        },
      };
      try {
        const result = await work();
        return { result, where: where as string | null };
      } finally {
        proxy.befalling = null;
      }
    },
  };
}

/** Starts an S3 server with random logits under `in/`, which are in the directory `folder` too. */
export async function logitsWorld(
  names: string[],
  size: { rows: number; classes: number },
) {
  const at = workDirectory();
  const folder = await writeFolder(at("logits"), names, size);
  const world = await s3World();
  world.upload(folder, "in");
  return { at, folder, ...world };
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

/** Returns the bytes with another bit in the middle. */
export function flipped(bytes: Uint8Array): Buffer {
  const other = Buffer.from(bytes);
  const middle = other.byteLength >> 1;
  other[middle] = (other[middle] as number) ^ 1;
  return other;
}
