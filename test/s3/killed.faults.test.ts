import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { BUCKET, s3World } from "../support/s3/s3-world.js";

// A process is killed with each of its requests; the same command completes the dataset.

const at = workDirectory();
const folder = at("logits");
mkdirSync(folder);
await built.generate({
  output: join(folder, "a.arrow"),
  rows: 300,
  classes: 5,
});
const world = await s3World();
const { proxy, softjac } = world;
world.upload(folder, "in");
const inputs = `s3://${BUCKET}/in/*.arrow`;
let names = 0;
const newPrefix = () => `out-${names++}`;
const at3 = (prefix: string) => `s3://${BUCKET}/${prefix}/`;
const args = (prefix: string, rows = 150) => [
  "run",
  inputs,
  "-o",
  at3(prefix),
  "--shard-rows",
  `${rows}`,
  "--layout",
  "packed",
  "--threads",
  "1",
  "--json",
];

function texts(prefix: string): Record<string, string> {
  return Object.fromEntries(
    [...world.under(prefix)].map(([name, bytes]) => [
      name,
      bytes.toString("latin1"),
    ]),
  );
}

const reference = newPrefix();
expect(await softjac(args(reference))).toMatchObject({ status: 0 });
const expected = texts(reference);

const records = (prefix: string) =>
  [...world.under(prefix).keys()].filter((name) => /^_commits\/\d+/.test(name))
    .length;

describe("killed", () => {
  test.each(["reset before", "reset after"] as const)(
    "with each request that puts (%s it is done): the same command makes what is missing, and nothing twice",
    async (fault) => {
      let kills = 0;
      for (let turn = 1; ; turn++) {
        const prefix = newPrefix();
        let where = `${fault}, ${turn}`;
        let run: ReturnType<typeof softjac> | null = null;
        proxy.befalling = {
          fault,
          turn,
          of: ({ method }) => method === "PUT",
          onFault: ({ url }) => {
            where += `: ${url}`;
            run?.kill("SIGKILL");
          },
        };
        run = softjac(args(prefix), { AWS_ENDPOINT_URL: proxy.url });
        const { signal, status } = await run;
        proxy.befalling = null;
        if (signal === null) {
          expect(status, where).toBe(0);
          break;
        }
        kills++;
        const done = records(prefix);
        const isComplete = world.under(prefix).has("_SUCCESS");
        if (isComplete) expect(texts(prefix), where).toEqual(expected);
        const again = await softjac(args(prefix));
        expect(again.status, `${where}: ${again.stderr}`).toBe(0);
        const report = JSON.parse(again.stdout);
        if (!isComplete) expect(report.shardsBefore, where).toBe(done);
        expect(report.shardsMade, where).toBe(isComplete ? 0 : 2 - done);
        expect(texts(prefix), where).toEqual(expected);
      }
      // plan, twice; two parts and their records; manifest and marker
      expect(kills).toBe(8);
    },
  );
});
