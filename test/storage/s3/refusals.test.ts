import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CLI, wordsOf } from "../../cli/support.js";
import { expectCode } from "../../queue/processes.js";
import { pairsOf } from "../../support/pairs-of.js";
import { ACCESS_KEY, SECRET_KEY } from "../../support/s3/objects-server.js";
import {
  at3,
  BUCKET,
  logitsWorld,
  QUICK_PAUSES,
} from "../../support/s3/s3-world.js";

// What S3 refuses: one sentence, an exit code, and no secret.

const size = { rows: 100, classes: 4 };
const world = await logitsWorld(["a"], size);
const { at, folder, server, softjac, newOutput } = world;
const inputs = at3("in");

/** Variables of users, by the word before a command. */
const USERS: Record<string, Record<string, string>> = {
  stranger: { AWS_ACCESS_KEY_ID: "AKIASTRANGER" },
  nobody: {
    ...{ AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" },
    AWS_EC2_METADATA_DISABLED: "true",
  },
};
const out = newOutput();

/** Command lines that fail, each followed by its exit code and a part of its message. A response to HEAD has no body. */
const TRANSCRIPT = `
run s3://none/in/ -o ${at("x/")}
66 s3://none/in/: no such bucket
run ${folder} -o s3://none/out/
66 s3://none/out/_SUCCESS: no such bucket
run s3://${BUCKET}/none.arrow -o ${out}
66 no objects at s3://${BUCKET}/none.arrow
run ${inputs}*.none -o ${out}
66 no objects at s3://${BUCKET}/in/*.none
stranger run ${inputs} -o ${out}
77 access denied: InvalidAccessKeyId (status 403)
stranger run ${inputs}a.arrow -o ${out}
77 status 403
nobody run ${inputs} -o ${out}
78 no AWS credentials in the environment, a profile or a role
run ${inputs} -o s3://key:secret@x/out/
64 s3://: the bucket name is missing or invalid
run ${inputs} -o s3://${BUCKET}/a//b/
64 expected a key without empty segments
run ${inputs} -o ${out} --overwrite
64 --overwrite: a dataset on S3 cannot be replaced; choose another prefix
run ${inputs}a.arrow -o ${at("one.arrow")}
64 inputs on S3 need a directory (with a slash at its end) or an s3:// prefix as output
run ${folder} ${inputs} -o ${out}
64 all inputs must be in one bucket or all be local files
run ${inputs} -o ${inputs}out/
64 ; choose another prefix
run ${inputs}a.arrow -o ${inputs}
64 ${inputs}a.arrow is inside --output s3://${BUCKET}/in; choose another output
run ${inputs} -o ${out} --endpoint http://me:hidden@127.0.0.1:1
64 --endpoint: the URL must not contain a user or password
run ${inputs} -o ${out} --endpoint nowhere
64 --endpoint: not a valid URL; write it as in
`;

test.each(pairsOf(TRANSCRIPT))("%s: %s", async (line, answer) => {
  const [, user = "", command = ""] = /^(\w+ )??(run .*)$/.exec(line) ?? [];
  const [, code, text = ""] = /^(\d\d) (.*)$/.exec(answer) ?? [];
  const args = [...command.split(" "), "--quiet"];
  const ended = await softjac(args, USERS[user.trim()]).ended;
  const shown = ended.stderr + ended.stdout;
  expect(ended.code, shown).toBe(Number(code));
  expect(ended.stderr).toContain(text);
  expect(ended.stderr.trim().split("\n"), shown).toHaveLength(1);
  for (const secret of [SECRET_KEY, ACCESS_KEY, "hidden", "key:secret"])
    expect(shown).not.toContain(secret);
});

test("a prefix without a plan: 66", async () => {
  const advice = "no run is planned; use softjac plan to plan one";
  await expectCode(softjac(["status", newOutput()]), 66, advice);
});

test("a store that ignores conditions is detected before a shard is computed: 78", async () => {
  server.ignoresConditions = true;
  const run = wordsOf`run ${inputs} -o ${newOutput()}`;
  await expectCode(
    softjac(run),
    78,
    "the object store ignores If-None-Match: *, so concurrent writers could overwrite each other; use another store",
  );
  server.ignoresConditions = false;
});

test("an endpoint that does not answer: 69", async () => {
  const run = wordsOf`run ${inputs} -o ${newOutput()} --endpoint http://127.0.0.1:9`;
  const env = { AWS_ENDPOINT_URL: "", NODE_OPTIONS: QUICK_PAUSES };
  const failed = "the request failed 8 times: ECONNREFUSED";
  await expectCode(softjac(run, env), 69, failed);
});

test("nothing that is written about a run contains credentials", async () => {
  const run = wordsOf`run ${inputs} -o ${newOutput()} --log-format json --report ${at("report.json")} --json`;
  const { stdout, stderr } = await expectCode(softjac(run), 0);
  const objects = [...server.bucket(BUCKET).values()].map(({ bytes }) =>
    bytes.toString("latin1"),
  );
  for (const text of [stdout, stderr, ...objects])
    for (const secret of [SECRET_KEY, ACCESS_KEY])
      expect(text).not.toContain(secret);
});

describe("the SDK", () => {
  /** Writes a preload that reports which modules of the SDK are imported, and hides them. */
  const preload = (isHidden: boolean) => {
    const [hooks, register] = [at("hooks.mjs"), at("register.mjs")];
    writeFileSync(
      hooks,
      `export async function resolve(name, context, next) {
         if (name.startsWith("@aws-sdk/")) {
           process._rawDebug("imports " + name);
           if (${isHidden}) throw Object.assign(new Error("hidden"), { code: "ERR_MODULE_NOT_FOUND" });
         }
         return next(name, context);
       }`,
    );
    writeFileSync(
      register,
      `import { register } from "node:module"; register("file://${hooks}");`,
    );
    return register;
  };
  const run = (isHidden: boolean, args: string[]) => {
    const words = ["--import", preload(isHidden), CLI, ...args];
    return spawnSync(process.execPath, words, { encoding: "utf8" });
  };

  test("is not imported if no location is on S3", () => {
    for (const args of [
      ["--version"],
      ["run", "--help"],
      wordsOf`run ${folder}/a.arrow -o ${at("file.arrow")}`,
      wordsOf`run ${folder} -o ${at("dataset/")}`,
      wordsOf`status ${at("dataset/")}`,
      wordsOf`gc ${at("dataset/")}`,
    ]) {
      const { status, stderr } = run(false, args);
      expect(status, stderr).toBe(0);
      expect(stderr).not.toContain("imports");
    }
  });

  test("is not needed to publish a directory that was computed from objects", async () => {
    const output = at("from-objects/");
    for (const args of [
      wordsOf`plan ${inputs} -o ${output} --shard-rows 50`,
      wordsOf`run-shard -o ${output}`,
    ])
      await expectCode(softjac(args), 0);
    const { status, stderr } = run(true, ["finalize", output]);
    expect(status, stderr).toBe(0);
  });

  test.each([
    [wordsOf`run ${inputs} -o ${at("y/")}`],
    [wordsOf`run ${folder} -o ${newOutput()}`],
    [wordsOf`status ${newOutput()}`],
    [wordsOf`gc ${newOutput()}`],
  ])("that is not installed: 78, and what to install (%j)", (args) => {
    const { status, stderr } = run(true, args);
    expect(status, stderr).toBe(78);
    expect(stderr).toContain("imports @aws-sdk/client-s3");
    expect(stderr).toContain(
      "s3:// paths need the package @aws-sdk/client-s3: npm install @aws-sdk/client-s3@3",
    );
  });
});
