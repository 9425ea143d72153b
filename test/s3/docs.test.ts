import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { CLI } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";
import { BUCKET, s3World } from "../support/s3/s3-world.js";

const at = workDirectory();
const world = await s3World();
const page = fileURLToPath(
  new URL("../../docs/object-stores.md", import.meta.url),
);

test("every command of docs/object-stores.md runs", async () => {
  const text = readFileSync(page, "utf8");
  const commands = [...text.matchAll(/```sh\n(.*?)```/gs)]
    .flatMap(([, block = ""]) => block.trim().split("\n"))
    .filter((line) => !line.startsWith("npm "));
  const upload = commands.indexOf(
    "aws s3 cp --recursive local-logits s3://logits/2026/",
  );
  expect([upload, commands.length]).toEqual([3, 14]);
  const run = (lines: string[]) => {
    const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
    return promisify(execFile)(
      "bash",
      ["-ec", [softjac, ...lines].join("\n")],
      {
        cwd: dirname(at("x")),
        env: world.env,
      },
    );
  };
  await run(commands.slice(0, upload));
  world.upload(at("local-logits"), "2026");
  await run(commands.slice(upload + 1));
  for (const prefix of ["jacobian", "from-here", "planned"])
    expect(world.under(prefix).has("_SUCCESS"), prefix).toBe(true);
  expect(BUCKET).toBe("logits");
  const packed = readFileSync(join(at("local"), "_manifest.json"), "utf8");
  expect(JSON.parse(packed)).toMatchObject({ inputs: [{}, {}] });
});

test("it names every option of S3, and every exit code that is S3's alone", async () => {
  const text = readFileSync(page, "utf8");
  const help = await world.softjac(["finalize", "--help", "--all"]);
  const ofS3 = [...help.stdout.matchAll(/--(endpoint|region)/g)];
  expect(ofS3).toHaveLength(2);
  for (const [option] of ofS3) expect(text).toContain(`\`${option}`);
  expect(text).toMatch(/\*\*[^*]*Readers wait for\s+`_SUCCESS`\.\*\*/);
});
