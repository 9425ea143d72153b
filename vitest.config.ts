import { spawnSync } from "node:child_process";
import { configDefaults, defineConfig } from "vitest/config";

// Workers on many machines are tested with a Redis; all else of them is in parts.test.ts.
const hasRedis = !spawnSync("redis-server", ["--version"]).error;
const QUEUE = "test/queue/!(parts).test.ts";
if (!hasRedis)
  console.log(`the tests of ${QUEUE} are left out (no redis-server)`);

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...(hasRedis ? [] : [QUEUE])],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // Most tests wait for one thread: vitest's own default leaves a processor idle, on two of them half.
    maxWorkers: "100%",
    // Real processes on a machine that others use, too: what fails there twice has failed; the reporter tells of retries.
    retry: process.env.CI ? 1 : 0,
  },
});
