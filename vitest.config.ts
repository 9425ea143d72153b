import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Tests that repeat damage, a fault or a kill at many bytes, calls or requests: npm run test:faults. */
const FAULTS = "test/**/*.faults.test.ts";

/** Tests that mostly wait (for other processes, time limits and servers) and tests that replace modules. */
const WAITING = [
  "test/{io/slow-disk,io/refused-direct,reader/reads}.test.ts",
  "test/{s3,queue}/*.test.ts",
  "test/dataset/{stopping,stalled-store}.test.ts",
  "test/cli/{reporting,terminals}.test.ts",
];

/** Files that take longest, longest first, since one that starts last would be waited for alone. */
const LONGEST = [
  ...["interop/inputs-table", "dataset/stopping"],
  ...["queue/queue", "interop/docs", "queue/s3"],
  ...["s3/inputs", "cli/written-files"],
  ...["queue/docs", "report-page/page", "queue/containers"],
  ...["output/compressed", "input/changed", "cli/terminals"],
  ...["input/large-batches", "dataset/dataset-run", "s3/refusals"],
  ...["dataset/dataset", "interop/layouts", "s3/docs", "run/entries"],
].map((name) => `/test/${name}.test.ts`);

/** The longest files first, those that wait and those that compute by turns. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]) {
    const place = ({ moduleId }: TestSpecification) => {
      const found = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return found < 0 ? LONGEST.length : found;
    };
    const sorted = (await super.sort(files)).sort(
      (a, b) => place(a) - place(b),
    );
    const waiting = sorted.filter(({ project }) => project.name === "waiting");
    const others = sorted.filter(({ project }) => project.name !== "waiting");
    return others
      .flatMap((file, k) => [...waiting.slice(k, k + 1), file])
      .concat(waiting.slice(others.length));
  }
}

export default defineConfig({
  test: {
    // Half of them wait at any time.
    maxWorkers: 2 * availableParallelism(),
    sequence: { sequencer: LongestFirst },
    setupFiles: ["test/support/equal-arrays.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "computing",
          // These files share no state: one process runs many of them, and loads what they import once.
          isolate: false,
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
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
