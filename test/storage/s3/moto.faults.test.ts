import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { S3 } from "@aws-sdk/client-s3";
import { beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../../src/storage/open-store.js";
import { filesIn, hashOf } from "../../../src/storage/store.js";
import { DIGITS } from "../../cli/support.js";
import { startProgram } from "../../queue/processes.js";
import { freePort } from "../../queue/redis.js";
import { built } from "../../support/built.js";
import { filesOf } from "../../support/files-of.js";
import { workDirectory } from "../../support/logits-input.js";
import { refused } from "../../support/refused.js";
import { FaultProxy } from "../../support/s3/fault-proxy.js";
import { flipped } from "../../support/s3/s3-world.js";
import { importable, python } from "../../system/interop/python.js";

// The same with moto's server, which others have written, if Python has it.

const BUCKET = "logits";
const at = workDirectory();
const digits = readFileSync(DIGITS);
const options = { shardRows: 900, layout: "packed" } as const;

describe.skipIf(!importable("moto, flask"))("moto's server", () => {
  let endpoint = "";
  let client: S3;
  let proxy: FaultProxy;

  beforeAll(async () => {
    const port = await freePort();
    const args = ["-m", "moto.server", "-H", "127.0.0.1", "-p", `${port}`];
    const { child } = startProgram(python, args, {});
    endpoint = `http://127.0.0.1:${port}`;
    Object.assign(process.env, {
      ...{ AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" },
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    });
    const address = { endpoint, region: "us-east-1", forcePathStyle: true };
    // The server takes some seconds to listen.
    client = new S3({ ...address, maxAttempts: 20 });
    await client.createBucket({ Bucket: BUCKET });
    proxy = new FaultProxy(endpoint);
    await proxy.start();
    await put("in/digits-logits.arrow", digits);
    const local = { ...options, inputs: [DIGITS], output: at("here") };
    await built.runDataset(local);
    return async () => {
      await proxy.stop();
      client.destroy();
      child.kill();
      if (child.exitCode === null) await once(child, "exit");
    };
  });

  const put = (Key: string, Body: Uint8Array) =>
    client.putObject({ Bucket: BUCKET, Key, Body });
  const runTo = (prefix: string, endpoint: string) => {
    const output = `s3://${BUCKET}/${prefix}`;
    return built.runDataset({ ...options, inputs: [DIGITS], output, endpoint });
  };

  /** Returns the SHA-256 of all objects under a prefix, by path as in `filesOf`. */
  async function under(prefix: string): Promise<Record<string, string | null>> {
    const root = `s3://${BUCKET}/${prefix}`;
    const store = await openStore(root, { endpoint });
    const found: Record<string, string | null> = {};
    for (const folder of ["", "/_commits"])
      for (const name of (await filesIn(store, root + folder)).keys()) {
        const path = `${folder}/${name}`;
        found[path] = await hashOf(store, root + path);
      }
    return found;
  }

  test("a run to S3, again, and from S3 has the bytes of directories", async () => {
    expect((await runTo("out", endpoint)).status).toBe("done");
    expect((await runTo("out", endpoint)).status).toBe("up to date");
    expect(await under("out")).toEqual(filesOf(at("here")));
    const inputs = [`s3://${BUCKET}/in/**`];
    const output = at("from-s3");
    await built.runDataset({ ...options, inputs, output, endpoint });
    const shards = (folder: string) =>
      Object.entries(filesOf(folder)).filter(([name]) => /part-/.test(name));
    expect(shards(output)).toEqual(shards(at("here")));
  });

  test("an upload in pieces does not replace an object, and is removed", async () => {
    const bytes = Buffer.alloc((9 << 20) + 5, "softjac ");
    const store = await openStore(`s3://${BUCKET}`, { endpoint: proxy.url });
    const upload = async (name: string) => {
      writeFileSync(at(name), bytes);
      return store.putIfAbsent(`s3://${BUCKET}/pieces/${name}`, at(name));
    };
    const read = async (name: string) =>
      Buffer.from((await store.read(`s3://${BUCKET}/pieces/${name}`)) ?? []);
    expect(await upload("new")).toBe(true);
    expect((await read("new")).equals(bytes)).toBe(true);
    expect(await upload("new")).toBe(false);
    proxy.befalling = {
      ...{ fault: "503", turn: 1 },
      of: ({ method, url }) => method === "POST" && url.includes("uploadId"),
      onFault: () => void put("pieces/meanwhile", Buffer.from("first")),
    };
    expect(await upload("meanwhile")).toBe(false);
    proxy.befalling = null;
    expect(`${await read("meanwhile")}`).toBe("first");
    const Key = "late/part-00000-of-00001.arrow";
    await client.createMultipartUpload({ Bucket: BUCKET, Key });
    const gc = { output: `s3://${BUCKET}/late`, endpoint, olderThan: 0 };
    expect((await built.removeStaleRuns(gc)).removed).toEqual([
      `s3://${BUCKET}/${Key} (an upload that has not ended)`,
    ]);
    expect((await built.removeStaleRuns(gc)).removed).toEqual([]);
  });

  test("an input that is replaced is refused", async () => {
    await put("changing/a.arrow", digits);
    const inputs = [`s3://${BUCKET}/changing/`];
    const output = at("changed");
    await built.planDataset({ ...options, inputs, output, endpoint });
    await put("changing/a.arrow", flipped(digits));
    await refused(
      built.runShards({ output, endpoint }),
      "ERR_INPUT_CHANGED",
      /changed since the run was planned \(ETag /,
    );
  });
});
