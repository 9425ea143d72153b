import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { DIGITS } from "../cli/support.js";
import { importable, python } from "../interop/python.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { filesIn } from "../support/s3/s3-world.js";

// A server of S3's requests that others have written, where python3 has one: moto's.

const at = workDirectory();

test("moto: to S3, and from there, the bytes of folders", async () => {
  if (!importable("moto.server")) {
    console.log("S3: 1 test left out (python3 has no moto.server)");
    return;
  }
  const port = await freePort();
  const server = spawn(
    python,
    ["-m", "moto.server", "-H", "127.0.0.1", "-p", `${port}`],
    { stdio: "ignore" },
  );
  const env = { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" };
  Object.assign(process.env, env);
  const endpoint = `http://127.0.0.1:${port}`;
  try {
    // It may take some seconds to listen.
    const client = new S3Client({
      endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      maxAttempts: 12,
    });
    await client.send(new CreateBucketCommand({ Bucket: "logits" }));
    mkdirSync(at("in"));
    copyFileSync(DIGITS, join(at("in"), "a.arrow"));
    const run = { shardRows: 500, layout: "packed", endpoint } as const;
    const here = { ...run, inputs: [at("in")], output: at("here") };
    await built.runDataset(here);
    const sent = { ...here, output: "s3://logits/out" };
    expect((await built.runDataset(sent)).status).toBe("done");
    expect((await built.runDataset(sent)).status).toBe("done already");
    // Of the parts that are there now: a run over them, to a folder.
    const again = {
      ...run,
      inputs: ["s3://logits/out/part-*.arrow"],
      column: "softmax",
    };
    await built.runDataset({ ...again, output: at("from-s3") });
    await built.runDataset({
      ...again,
      inputs: [join(at("here"), "part-*.arrow")],
      output: at("from-here"),
    });
    const parts = (folder: string) =>
      filesIn(folder).filter(([name]) => name.startsWith("part-"));
    expect(parts(at("from-s3"))).toEqual(parts(at("from-here")));
  } finally {
    server.kill();
    await once(server, "exit");
  }
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
