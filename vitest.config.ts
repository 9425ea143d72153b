import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // Most tests wait for one thread: vitest's own default leaves a processor idle, on two of them half.
    maxWorkers: "100%",
  },
});
