import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { CLI } from "../../cli/support.js";
import { readJson } from "../../dataset/support.js";
import { expectCode, startProgram } from "../../queue/processes.js";
import { workDirectory } from "../../support/logits-input.js";
import { s3World } from "../../support/s3/s3-world.js";

const at = workDirectory();
const world = await s3World();
const text = readFileSync(
  fileURLToPath(new URL("../../../docs/object-stores.md", import.meta.url)),
  "utf8",
);

test("every command of docs/object-stores.md runs", async () => {
  const commands = [...text.matchAll(/```sh\n(.*?)```/gs)]
    .flatMap(([, block = ""]) => block.trim().split("\n"))
    .filter((line) => !line.startsWith("npm "));
  const upload = commands.indexOf(
    "aws s3 cp --recursive local-logits s3://logits/2026/",
  );
  expect([upload, commands.length]).toEqual([3, 14]);
  const run = async (lines: string[]) => {
    const softjac = `softjac() { "${process.execPath}" "${CLI}" "$@"; }`;
    const args = ["-ec", [softjac, ...lines].join("\n")];
    const cwd = dirname(at("x"));
    await expectCode(startProgram("bash", args, world.env, { cwd }), 0);
  };
  await run(commands.slice(0, upload));
  world.upload(at("local-logits"), "2026");
  await run(commands.slice(upload + 1));
  for (const prefix of ["jacobian", "from-here", "planned"])
    expect(world.under(prefix).has("_SUCCESS"), prefix).toBe(true);
  const manifest = readJson(join(at("local"), "_manifest.json"));
  expect(manifest).toMatchObject({ inputs: [{}, {}] });
});

test("it names every option of S3, and says that readers wait for _SUCCESS", async () => {
  const help = await world.softjac(["finalize", "--help", "--all"]).ended;
  const ofS3 = [...help.stdout.matchAll(/--(endpoint|region)/g)];
  expect(ofS3).toHaveLength(2);
  for (const [option] of ofS3) expect(text).toContain(`\`${option}`);
  expect(text).toMatch(/\*\*[^*]*Readers wait for\s+`_SUCCESS`\.\*\*/);
});
