import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { CLI, DIGITS } from "./support.js";

const at = workDirectory();
const uses = at("uses");
const preload = new URL("../support/refuse-network.mjs", import.meta.url).href;

/** Runs the command, which exits with 97 at the first use of the network. */
function run(
  args: string[],
  env: Record<string, string> = {},
): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [CLI, ...args], {
    encoding: "utf8",
    env: {
      ...process.env,
      ...env,
      NODE_OPTIONS: `--import ${preload}`,
      NETWORK_USES: uses,
    },
  });
}

/** Returns the recorded uses since the last call. */
function noted(): string[] {
  if (!existsSync(uses)) return [];
  const lines = readFileSync(uses, "utf8").trim().split("\n");
  rmSync(uses);
  return lines;
}

const folder = at("logits");
mkdirSync(folder);
for (const [seed, name] of ["a", "b"].entries())
  await built.generate({
    output: join(folder, `${name}.arrow`),
    rows: 20,
    classes: 5,
    seed,
  });
const [file, dataset, planned] = [at("out.arrow"), at("parts"), at("planned")];
await built.run({ input: DIGITS, output: file });
const parquet = new URL(
  "../input/parquet/pyarrow-zstd.parquet",
  import.meta.url,
);

test.each([
  ["help", "--help"],
  ["run", "run", DIGITS, "-o", at("run.arrow"), "--threads", "2"],
  ["run of Parquet", "run", parquet.pathname, "-o", at("parquet.arrow")],
  ["run of a dataset", "run", folder, "-o", `${dataset}/`],
  ["plan", "plan", folder, "-o", planned],
  ["inspect", "inspect", DIGITS, "--scan"],
  ["show", "show", file, "--row", "3"],
  ["verify", "verify", file, "--input", DIGITS],
  ["report", "report", file, "-o", at("report.html")],
  ["generate", "generate", at("new.arrow"), "--rows", "9", "--classes", "3"],
])("%s uses no network", (_, ...args) => {
  const { status, stderr } = run(args);
  expect(status, stderr).toBe(0);
  expect(noted()).toEqual([]);
});

test.each([
  [
    "a queue",
    "connect 127.0.0.1:7001",
    ...["submit", DIGITS, "-o", at("q/"), "--queue", "redis://127.0.0.1:7001"],
  ],
  [
    "S3",
    "connect 127.0.0.1:7002",
    ...["run", "s3://bucket/a.arrow", "-o", at("o/")],
  ],
])("%s uses the network, and first its own host", (_, use, ...args) => {
  const { status } = run(args, {
    AWS_ACCESS_KEY_ID: "a",
    AWS_SECRET_ACCESS_KEY: "b",
    AWS_REGION: "us-east-1",
    AWS_ENDPOINT_URL: "http://127.0.0.1:7002",
  });
  expect(status).toBe(97);
  expect(noted()).toEqual([use]);
});
