import { expect, test } from "vitest";
import { statusText } from "../../src/cli/dataset-text.js";

test("the status of a dataset names the missing and damaged shards", () => {
  const problem = "part-00005-of-00006.arrow has 9 bytes instead of 8";
  const [file = "", ...words] = problem.split(" ");
  const text = statusText({
    ...{ output: "out", inputs: 1, rows: 60, fingerprint: "0123456789abcdef" },
    ...{ status: "published", shards: 6, shardsDone: 2 },
    ...{ missing: [0, 1, 3], damaged: [5], skippedInputs: [], unfinished: [] },
    problems: [{ file, problem: words.join(" ") }],
  });
  expect(text).toBe(`out
  status   published
  inputs   1, 60 rows
  shards   6: 2 done
  missing  shards 0-1, 3
  damaged  shard 5
           ${problem}
  run      0123456789abcdef
`);
});
