import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { ACCESS_KEY, SECRET_KEY } from "../support/s3/objects-server.js";
import { BUCKET, QUICK_PAUSES, s3World } from "../support/s3/s3-world.js";

// What S3 says no to, and what is asked for in vain: one sentence, an exit code, and no secret in either.

const at = workDirectory();
const folder = at("logits");
mkdirSync(folder);
await built.generate({
  output: join(folder, "a.arrow"),
  rows: 100,
  classes: 4,
});
const world = await s3World();
const { server, softjac, newOutput: output } = world;
world.upload(folder, "in");
const inputs = `s3://${BUCKET}/in/`;

describe("exit codes", () => {
  test.each<[string, string[], number, string | RegExp, NodeJS.ProcessEnv?]>([
    [
      "no such bucket as input",
      ["run", "s3://none/in/", "-o", at("x/")],
      66,
      "s3://none/in/: no such bucket",
    ],
    [
      "no such bucket as output",
      ["run", folder, "-o", "s3://none/out/"],
      66,
      "s3://none/out/_SUCCESS: no such bucket",
    ],
    [
      "no such object",
      ["run", `s3://${BUCKET}/none.arrow`, "-o", output()],
      66,
      `no objects at s3://${BUCKET}/none.arrow`,
    ],
    [
      "nothing that matches",
      ["run", `s3://${BUCKET}/in/*.none`, "-o", output()],
      66,
      `no objects at s3://${BUCKET}/in/*.none`,
    ],
    [
      "no plan",
      ["status", output()],
      66,
      "no run is planned; use softjac plan to plan one",
    ],
    [
      "a stranger",
      ["run", inputs, "-o", output()],
      77,
      "access denied: InvalidAccessKeyId (status 403)",
      { AWS_ACCESS_KEY_ID: "AKIASTRANGER" },
    ],
    [
      "a stranger, by HEAD",
      ["run", `s3://${BUCKET}/in/a.arrow`, "-o", output()],
      77,
      "status 403",
      { AWS_ACCESS_KEY_ID: "AKIASTRANGER" },
    ],
    [
      "nobody",
      ["run", inputs, "-o", output()],
      78,
      "no AWS credentials in the environment, a profile or a role",
      {
        AWS_ACCESS_KEY_ID: "",
        AWS_SECRET_ACCESS_KEY: "",
        AWS_EC2_METADATA_DISABLED: "true",
      },
    ],
    [
      "no name of a bucket",
      ["run", inputs, "-o", "s3://key:secret@x/out/"],
      64,
      "s3://: the bucket name is missing or invalid",
    ],
    [
      "an odd key",
      ["run", inputs, "-o", `s3://${BUCKET}/a//b/`],
      64,
      "expected a key without empty segments",
    ],
    [
      "--overwrite",
      ["run", inputs, "-o", output(), "--overwrite"],
      64,
      "--overwrite: a dataset on S3 cannot be replaced; choose another prefix",
    ],
    [
      "one file of an object",
      ["run", `s3://${BUCKET}/in/a.arrow`, "-o", at("one.arrow")],
      64,
      "inputs on S3 need a directory (with a slash at its end) or an s3:// prefix as output",
    ],
    [
      "files and objects",
      ["run", folder, inputs, "-o", output()],
      64,
      "all inputs must be in one bucket or all be local files",
    ],
    [
      "into its input",
      ["run", inputs, "-o", `${inputs}out/`],
      64,
      "; choose another prefix",
    ],
    [
      "an input inside the output",
      ["run", `${inputs}a.arrow`, "-o", inputs],
      64,
      `${inputs}a.arrow is inside --output s3://${BUCKET}/in; choose another output`,
    ],
    [
      "an endpoint with a password",
      [
        "run",
        inputs,
        "-o",
        output(),
        "--endpoint",
        "http://me:hidden@127.0.0.1:1",
      ],
      64,
      "--endpoint: the URL must not contain a user or password",
    ],
    [
      "an endpoint that is none",
      ["run", inputs, "-o", output(), "--endpoint", "nowhere"],
      64,
      "--endpoint: not a valid URL; write it as in",
    ],
  ])("%s", async (_, args, status, text, env = {}) => {
    const quiet = args[0] === "run" ? ["--quiet"] : [];
    const ended = await softjac([...args, ...quiet], env);
    const shown = ended.stderr + ended.stdout;
    expect(ended.status, shown).toBe(status);
    if (typeof text === "string") expect(shown).toContain(text);
    else expect(shown).toMatch(text);
    expect(ended.stderr.trim().split("\n"), shown).toHaveLength(1);
    for (const secret of [SECRET_KEY, ACCESS_KEY, "hidden", "key:secret"])
      expect(shown).not.toContain(secret);
  });
});

test("a store that does not know conditions is found out before a part is made: 78", async () => {
  server.ignoresConditions = true;
  const { status, stderr } = await softjac(["run", inputs, "-o", output()]);
  server.ignoresConditions = false;
  expect(status).toBe(78);
  expect(stderr).toContain(
    "the object store ignores If-None-Match: *, so concurrent writers could overwrite each other; use another store",
  );
});

test("nobody answers at the endpoint: 69, after a time that is bounded", async () => {
  const { status, stderr } = await softjac(
    ["run", inputs, "-o", output(), "--endpoint", "http://127.0.0.1:9"],
    { AWS_ENDPOINT_URL: "", NODE_OPTIONS: QUICK_PAUSES },
  );
  expect(status).toBe(69);
  expect(stderr).toContain("the request failed 8 times: ECONNREFUSED");
});

test("no credentials in anything that is written about a run", async () => {
  const report = at("report.json");
  const ended = await softjac([
    "run",
    inputs,
    "-o",
    output(),
    "--log-format",
    "json",
    "--report",
    report,
    "--json",
  ]);
  expect(ended.status, ended.stderr).toBe(0);
  const keys = [...server.bucket(BUCKET).values()].map(({ bytes }) =>
    bytes.toString("latin1"),
  );
  for (const text of [ended.stdout, ended.stderr, ...keys])
    for (const secret of [SECRET_KEY, ACCESS_KEY])
      expect(text).not.toContain(secret);
});

describe("the SDK", () => {
  /** Loaded before the command: tells which modules of the SDK are asked for, and hides them. */
  const hide = (hidden: boolean) => {
    const hooks = at(`hooks-${hidden}.mjs`);
    writeFileSync(
      hooks,
      `export async function resolve(name, context, next) {
         if (name.startsWith("@aws-sdk/")) {
           process._rawDebug("asked for " + name);
           if (${hidden}) throw Object.assign(new Error("hidden"), { code: "ERR_MODULE_NOT_FOUND" });
         }
         return next(name, context);
       }`,
    );
    const register = at(`register-${hidden}.mjs`);
    writeFileSync(
      register,
      `import { register } from "node:module"; register(${JSON.stringify(`file://${hooks}`)});`,
    );
    return register;
  };
  const start = (hidden: boolean, ...args: string[]) =>
    spawnSync(process.execPath, ["--import", hide(hidden), CLI, ...args], {
      encoding: "utf8",
    });

  test("is not asked for where no location is on S3", () => {
    for (const args of [
      ["--version"],
      ["run", "--help"],
      ["run", join(folder, "a.arrow"), "-o", at("file.arrow")],
      ["run", folder, "-o", at("dataset/")],
      ["status", at("dataset/")],
      ["gc", at("dataset/")],
    ]) {
      const { status, stderr } = start(false, ...args);
      expect(status, stderr).toBe(0);
      expect(stderr).not.toContain("asked for");
    }
  });

  test("is not asked for by who publishes a folder that was made from objects", async () => {
    const output = at("from-objects/");
    const made = ["-o", output, "--shard-rows", "50"];
    expect((await softjac(["plan", inputs, ...made])).status).toBe(0);
    expect((await softjac(["run-shard", "-o", output])).status).toBe(0);
    const { status, stderr } = start(true, "finalize", output);
    expect(status, stderr).toBe(0);
  });

  test("that is not installed: 78, and what to install", () => {
    for (const args of [
      ["run", inputs, "-o", at("y/")],
      ["run", folder, "-o", output()],
      ["status", output()],
      ["gc", output()],
    ]) {
      const { status, stderr } = start(true, ...args);
      expect(status, stderr).toBe(78);
      expect(stderr).toContain("asked for @aws-sdk/client-s3");
      expect(stderr).toContain(
        "s3:// paths need the package @aws-sdk/client-s3: npm install @aws-sdk/client-s3@3",
      );
    }
  });
});
