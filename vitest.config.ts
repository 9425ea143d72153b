import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Tests that repeat a fault or a kill at every call or request: npm run test:faults. */
const FAULTS = "test/**/*.faults.test.ts";

/** Tests that mostly wait: for other processes, time limits and servers. */
const WAITING = [
  "test/{s3,queue}/*.test.ts",
  "test/dataset/{stopping,stalled-store}.test.ts",
  "test/cli/{reporting,terminals}.test.ts",
];

/** Files that take longest, longest first, since one that starts last would be waited for alone. */
const LONGEST: string[] = [];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]) {
    const place = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return found < 0 ? LONGEST.length : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  test: {
    // Half of them wait at any time.
    maxWorkers: 2 * availableParallelism(),
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "computing",
          include: ["test/**/*.test.ts"],
          exclude: [FAULTS, ...WAITING],
        },
      },
      {
        extends: true,
        test: { name: "waiting", include: WAITING, exclude: [FAULTS] },
      },
      { extends: true, test: { name: "faults", include: [FAULTS] } },
    ],
    expect: { requireAssertions: true },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
