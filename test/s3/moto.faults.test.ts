import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/storage/open-store.js";
import { filesIn, hashOf } from "../../src/storage/store.js";
import { DIGITS } from "../cli/support.js";
import { importable, python } from "../interop/python.js";
import { freePort } from "../queue/redis.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { FAULTS, FaultProxy } from "../support/s3/fault-proxy.js";
import { filesIn as filesOnDisk, repeatAfter } from "../support/s3/s3-world.js";

// A server of S3's requests that others have written, where python3 has one: moto's. What our own server is asked for
// more thoroughly, it is asked for too.

const isThere = importable("moto.server");
const BUCKET = "logits";
const at = workDirectory();
const options = { shardRows: 900, layout: "packed" } as const;

describe.skipIf(!isThere)("moto's server", () => {
  let server: ChildProcess;
  let endpoint = "";
  let client: S3Client;
  let proxy: FaultProxy;

  beforeAll(async () => {
    const port = await freePort();
    server = spawn(
      python,
      ["-m", "moto.server", "-H", "127.0.0.1", "-p", `${port}`],
      { stdio: "ignore" },
    );
    endpoint = `http://127.0.0.1:${port}`;
    Object.assign(process.env, {
      AWS_ACCESS_KEY_ID: "x",
      AWS_SECRET_ACCESS_KEY: "x",
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    });
    // It takes some seconds to listen.
    client = new S3Client({
      endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      maxAttempts: 20,
    });
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    proxy = new FaultProxy(endpoint);
    await proxy.start();
    mkdirSync(at("in"));
    copyFileSync(DIGITS, join(at("in"), "a.arrow"));
    await put("in/a.arrow", readFileSync(DIGITS));
    const here = { ...options, inputs: [at("in")], output: at("here") };
    await built.runDataset(here);
  });

  afterAll(async () => {
    await proxy?.stop();
    client?.destroy();
    server?.kill();
    if (server?.exitCode === null) await once(server, "exit");
  });

  const put = (key: string, bytes: Uint8Array) =>
    client.send(
      new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: bytes }),
    );
  const sentTo = (prefix: string, by = endpoint) => ({
    ...options,
    inputs: [at("in")],
    output: `s3://${BUCKET}/${prefix}`,
    endpoint: by,
  });

  /** SHA-256 of all that stands under a prefix, by name. */
  async function under(prefix: string): Promise<Record<string, string>> {
    const store = await openStore(`s3://${BUCKET}`, { endpoint });
    const found: Record<string, string> = {};
    for (const folder of ["", "/_commits"])
      for (const [name] of await filesIn(
        store,
        `s3://${BUCKET}/${prefix}${folder}`,
      ))
        found[`${folder}/${name}`.slice(1)] = (await hashOf(
          store,
          `s3://${BUCKET}/${prefix}${folder}/${name}`,
        )) as string;
    return found;
  }

  const ofFolder = (path: string) =>
    Object.fromEntries(
      filesOnDisk(path).map(([name, bytes]) => [
        name,
        createHash("sha256").update(bytes).digest("hex"),
      ]),
    );

  test("to S3, again, and from there: the bytes of folders", async () => {
    expect((await built.runDataset(sentTo("out"))).status).toBe("done");
    expect((await built.runDataset(sentTo("out"))).status).toBe("up to date");
    expect(await under("out")).toEqual(ofFolder(at("here")));
    const from = { ...options, inputs: [`s3://${BUCKET}/in/**`], endpoint };
    await built.runDataset({ ...from, output: at("from-s3") });
    const parts = (folder: string) =>
      filesOnDisk(folder).filter(([name]) => name.startsWith("part-"));
    expect(parts(at("from-s3"))).toEqual(parts(at("here")));
  });

  // The project's own server is asked with the same faults in requests.faults.test.ts.
  test.skipIf(!process.env.EVERY_CALL).each(FAULTS)(
    "%s at each request that changes something",
    async (fault) => {
      repeatAfter(2000);
      let befell = 0;
      for (let turn = 1; ; turn++) {
        const prefix = `${fault.replace(" ", "-")}-${turn}`;
        let where = `${fault}, request ${turn}`;
        let isOver = true;
        proxy.befalling = {
          fault,
          turn,
          of: ({ method }) => method !== "GET" && method !== "HEAD",
          onFault: ({ method, url }) => {
            isOver = false;
            where += `: ${method} ${url}`;
          },
        };
        const report = await built.runDataset(sentTo(prefix, proxy.url));
        proxy.befalling = null;
        expect(report, where).toMatchObject({
          status: "done",
          shardsComputed: 2,
        });
        if (isOver) break;
        befell++;
        expect(await under(prefix), where).toEqual(ofFolder(at("here")));
      }
      // plan, twice; two parts and their records; manifest and marker
      expect(befell).toBe(8);
    },
  );

  test("pieces: sent where nothing is, not where an object came meanwhile, and cleared away", async () => {
    const bytes = Buffer.alloc((9 << 20) + 5, "softjac ");
    const store = await openStore(`s3://${BUCKET}`, { endpoint: proxy.url });
    const publish = async (name: string) => {
      const file = at(name);
      writeFileSync(file, bytes);
      return store.putIfAbsent(`s3://${BUCKET}/pieces/${name}`, file);
    };
    expect(await publish("new")).toBe(true);
    expect(await hashOf(store, `s3://${BUCKET}/pieces/new`)).toBe(
      createHash("sha256").update(bytes).digest("hex"),
    );
    expect(await publish("new")).toBe(false);
    proxy.befalling = {
      fault: "503",
      turn: 1,
      of: ({ method, url }) => method === "POST" && url.includes("uploadId"),
      onFault: () => void put("pieces/meanwhile", Buffer.from("first")),
    };
    expect(await publish("meanwhile")).toBe(false);
    proxy.befalling = null;
    const meanwhile = await store.read(`s3://${BUCKET}/pieces/meanwhile`);
    expect(Buffer.from(meanwhile ?? []).toString()).toBe("first");
    const Key = "late/part-00000-of-00001.arrow";
    await client.send(
      new CreateMultipartUploadCommand({ Bucket: BUCKET, Key }),
    );
    const output = `s3://${BUCKET}/late`;
    const gc = { output, endpoint, olderThan: 0 };
    expect((await built.removeStaleRuns(gc)).removed).toEqual([
      `s3://${BUCKET}/${Key} (an upload that has not ended)`,
    ]);
    expect((await built.removeStaleRuns(gc)).removed).toEqual([]);
  });

  test("an input that is replaced: 65", async () => {
    await put("changing/a.arrow", readFileSync(DIGITS));
    const run = {
      ...options,
      inputs: [`s3://${BUCKET}/changing/`],
      output: at("changed"),
      endpoint,
    };
    await built.planDataset(run);
    const other = readFileSync(DIGITS);
    other[other.byteLength >> 1] = (other[other.byteLength >> 1] ?? 0) ^ 1;
    await put("changing/a.arrow", other);
    await expect(
      built.runShards({ output: at("changed"), endpoint }),
    ).rejects.toMatchObject({
      code: "ERR_INPUT_CHANGED",
      message: expect.stringContaining(
        "changed since the run was planned (ETag ",
      ),
    });
  });
});
