import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Tests that repeat damage, a fault or a kill at many bytes, calls or requests: npm run test:faults. */
const FAULTS = "test/**/*.faults.test.ts";

/** Tests that replace modules: each has a process of its own. */
const REPLACING =
  "test/{io/disk,reader/reads,verify/compare-run,run/compute-and-commit}.test.ts";

/** Tests that mostly wait: for other processes, time limits and servers. */
const WAITING = ["storage/s3/", "queue/", "cli/reporting", "cli/terminals"];

/** Files that take longest, longest first, since one that starts last would be waited for alone. */
const LONGEST = [
  ...["dataset/killed.faults", "report/page", "storage/s3/requests.faults"],
  ...[
    "input/damaged.faults",
    "storage/s3/processes.faults",
    "queue/poison.faults",
  ],
  ...["report/outputs", "storage/s3/odd-stores.faults", "queue/redis.faults"],
  ...["queue/queue", "queue/s3", "storage/s3/inputs"],
  // Not sooner: .ci/run installs Python packages meanwhile.
  ...["system/interop/docs", "system/interop/interop", "system/interop/readme"],
  ...["queue/docs", "dataset/examples"],
  ...["output/compressed", "report/numbers", "cli/terminals"],
  ...["input/large-batches", "dataset/dataset-run", "storage/s3/refusals"],
  ...["dataset/dataset", "storage/s3/docs", "run/entries"],
].map((name) => `/test/${name}.test.ts`);

const WAITS = new RegExp(`/test/(?:${WAITING.join("|")})`);

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
    const waiting = sorted.filter(({ moduleId }) => WAITS.test(moduleId));
    const others = sorted.filter(({ moduleId }) => !WAITS.test(moduleId));
    return others
      .flatMap((file, k) => [...waiting.slice(k, k + 1), file])
      .concat(waiting.slice(others.length));
  }
}

export default defineConfig({
  test: {
    // One of them waits at any time; each more loads all that the tests import once more.
    maxWorkers: availableParallelism() + 1,
    // With the cores busy, threads that collect garbage cost more than they save.
    execArgv: ["--single-threaded-gc"],
    sequence: { sequencer: LongestFirst },
    setupFiles: ["test/support/equal-arrays.ts"],
    // With isolate: false, one process runs many files, which share no state, and loads what they import once.
    projects: [
      {
        extends: true,
        test: {
          name: "tests",
          isolate: false,
          include: ["test/**/*.test.ts"],
          exclude: [FAULTS, REPLACING],
        },
      },
      { extends: true, test: { name: "replacing", include: [REPLACING] } },
      {
        extends: true,
        test: { name: "faults", isolate: false, include: [FAULTS] },
      },
    ],
    expect: { requireAssertions: true },
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
