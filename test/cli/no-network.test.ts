import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { CLI, DIGITS } from "./support.js";

const at = workDirectory();
let files = 0;
const preload = new URL("../support/refuse-network.mjs", import.meta.url).href;

const folder = at("logits");
mkdirSync(folder);
for (const output of [`${folder}/a.arrow`, `${folder}/b.arrow`])
  await built.generate({ output, rows: 20, classes: 5 });
const file = at("out.arrow");
await built.run({ input: DIGITS, output: file });
const parquet = fileURLToPath(
  new URL("../input/parquet/pyarrow-zstd.parquet", import.meta.url),
);

// The preload records each use of the network and ends the process with 97.
test.each([
  [0, "--help", []],
  [0, `run ${DIGITS} -o ${at("run.arrow")} --threads 2`, []],
  [0, `run ${parquet} -o ${at("parquet.arrow")}`, []],
  [0, `run ${folder} -o ${at("parts")}/`, []],
  [0, `plan ${folder} -o ${at("planned")}`, []],
  [0, `inspect ${DIGITS} --scan`, []],
  [0, `show ${file} --row 3`, []],
  [0, `verify ${file} --input ${DIGITS}`, []],
  [0, `report ${file} -o ${at("report.html")}`, []],
  [0, `generate ${at("new.arrow")} --rows 9 --classes 3`, []],
  [
    97,
    `submit ${DIGITS} -o ${at("q/")} --queue redis://127.0.0.1:7001`,
    ["connect 127.0.0.1:7001"],
  ],
  [97, `run s3://bucket/a.arrow -o ${at("o/")}`, ["connect 127.0.0.1:7002"]],
])("%i: softjac %s uses %j of the network", (exit, line, expected) => {
  const uses = at(`uses-${files++}`);
  const { status, stderr } = spawnSync(
    process.execPath,
    [CLI, ...line.split(" ")],
    {
      encoding: "utf8",
      env: {
        ...process.env,
        NODE_OPTIONS: `--import ${preload}`,
        NETWORK_USES: uses,
        AWS_ACCESS_KEY_ID: "a",
        AWS_SECRET_ACCESS_KEY: "b",
        AWS_REGION: "us-east-1",
        AWS_ENDPOINT_URL: "http://127.0.0.1:7002",
      },
    },
  );
  expect(status, stderr).toBe(exit);
  const found = existsSync(uses) ? readFileSync(uses, "utf8") : "";
  expect(found.split("\n").filter(Boolean)).toEqual(expected);
});
