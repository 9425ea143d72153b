import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { built } from "./support/built.js";

const root = fileURLToPath(new URL("..", import.meta.url));

test("the public names", () => {
  expect(Object.keys(built).sort()).toEqual([
    "AbortedError",
    "BadRowError",
    "ConfigurationError",
    "DatasetDamagedError",
    "IncompleteError",
    "InputChangedError",
    "InputFormatError",
    "InputMissingError",
    "InputUnsupportedError",
    "InputsLeftOutError",
    "InputsSkippedError",
    "InternalError",
    "IoError",
    "LogitsColumnError",
    "OutputClosedError",
    "OutputExistsError",
    "PartsFailedError",
    "PermissionError",
    "PlanMissingError",
    "RaggedRowError",
    "RowMissingError",
    "ServiceUnavailableError",
    "ShardsFailedError",
    "SoftjacError",
    "StalledError",
    "StoppedError",
    "UsageError",
    "datasetStatus",
    "dryRun",
    "dryRunDataset",
    "finalizeDataset",
    "generate",
    "inspect",
    "openJacobian",
    "planDataset",
    "relativeErrorPercent",
    "removeLeftovers",
    "removeStaleRuns",
    "report",
    "run",
    "runDataset",
    "runShards",
    "runWorker",
    "show",
    "softmax",
    "softmaxJacobian",
    "softmaxJacobianColumn",
    "softmaxJacobianEntries",
    "softmaxResults",
    "submitDataset",
    "verify",
    "version",
    "waitForDataset",
  ]);
});

test("old names of exports still work", () => {
  expect(built.removeLeftovers).toBe(built.removeStaleRuns);
  expect(built.InputsLeftOutError).toBe(built.InputsSkippedError);
  expect(built.PartsFailedError).toBe(built.ShardsFailedError);
});

test("error names survive bundling", () => {
  expect(new built.InputMissingError("x").name).toBe("InputMissingError");
  expect(new built.UsageError("x")).toBeInstanceOf(built.SoftjacError);
});

describe("nothing imports upward", () => {
  /** What the files of a folder may import besides their own folder; `null`: anything. */
  const ALLOWED: Record<string, string[] | null> = {
    "src/kernels": [],
    "src/kernels/portable": [],
    "src/results": ["src/errors", "src/kernels"],
    // The judge of the kernels: nothing of theirs.
    "src/reference": ["src/errors", "src/results"],
    "src/io": ["node:"],
    "src/slots": ["node:", "src/arrow", "src/kernels", "src/errors"],
    "src/arrow": ["node:"],
    "src/input": [
      "node:",
      "src/io",
      "src/arrow",
      "src/errors",
      "src/results",
      "src/io/location",
      // The NaN that marks a null.
      "src/kernels/bad-row",
    ],
    "src/input/arrays": [
      "node:",
      "src/io",
      "src/arrow",
      "src/errors",
      "src/results",
      "src/input",
    ],
    "src/input/compression": [
      "node:",
      "src/input",
      "src/io",
      "src/arrow",
      "src/errors",
      "src/threads",
      "workers/decompress",
    ],
    "workers/decompress": [
      "node:",
      "src/io",
      "src/tasks/decompress-tasks",
      "src/io/system-error",
      "zstddec/stream",
      "@foxglove/wasm-zstd",
    ],
    "src/output/compress": [
      "src/arrow",
      "src/input/arrow-metadata",
      "src/io",
      "src/output",
      "src/io/system-error",
      "src/threads",
      "workers/compress",
    ],
    "src/threads": ["src/errors", "piscina"],
    "workers/compress": [
      "src/tasks/compress-tasks",
      "lz4-wasm-nodejs",
      "@foxglove/wasm-zstd",
    ],
    "src/input/parquet": [
      "node:",
      "src/input",
      "src/io",
      "src/arrow",
      "src/errors",
      // The encoder of Arrow schemas.
      "src/arrow/encode-messages",
      "src/output/jacobian-file",
    ],
    "src/output": [
      "node:",
      "src/io",
      "src/arrow",
      "src/errors",
      "src/options/options-table",
      "src/results",
      "src/io/location",
      "apache-arrow/",
      "flatbuffers",
    ],
    // A conductor over runs on parts of files.
    "src/dataset": [
      "node:",
      "src/options/check-options",
      "src/errors",
      "src/input/needed-bytes",
      "src/input/first-rows",
      "src/input/input-state",
      "src/io/limits",
      "src/input/logits-file",
      "src/input/open-logits",
      "src/input/partitions",
      "src/io/map-concurrent",
      "src/io/report-clock",
      "src/io/temporary-names",
      "src/run/plan-job",
      "src/run/open-output",
      "src/options/run-options",
      "src/options/options-table",
      "src/output/temporary-file",
      "src/output/written-files",
      "src/run/plan-rows",
      "src/pool/worker-pool",
      "src/run/compute-and-commit",
      "src/run/run-report",
      "src/results",
      "src/run/run",
      "src/run/prestart-workers",
      "src/storage",
      "src/version",
      "picomatch",
    ],
    // Where datasets are kept; of softjac it knows nothing.
    "src/storage": [
      "node:",
      "src/errors",
      "src/io",
      "src/options/options-table",
    ],
    "src/storage/s3": [
      "node:",
      "src/errors",
      "src/io",
      "src/storage",
      "@aws-sdk/client-s3",
    ],
    // Who might make what; what is made, and recorded, is the dataset's affair.
    "src/queue": [
      "node:",
      "src/options/check-options",
      "src/dataset",
      "src/errors",
      "src/io/report-clock",
      "src/options/run-options",
      "src/options/options-table",
      "src/io/location",
      "src/storage/s3-options",
      "src/version",
      "bullmq",
      "ioredis",
    ],
    // A conductor of its own, over the same output as run.
    "src/generate": [
      "src/arrow",
      "src/options/check-options",
      "src/errors",
      "src/io",
      "src/options/options-table",
      "src/output",
      "src/results",
      "src/run/run",
      "src/in-memory/compute-rows",
      "src/version",
    ],
    "src/reader": [
      "node:",
      "src/arrow",
      "src/options/check-options",
      "src/dataset/records",
      "src/dataset/names",
      "src/errors",
      "src/input",
      "src/kernels",
      "src/results",
    ],
    "src/pool": [
      "src/arrow",
      "src/io",
      "src/results",
      "src/slots",
      "src/threads",
      "workers",
    ],
    "src/show": [
      "src/input/input-state",
      "src/options/check-options",
      "src/errors",
      "src/input/interpreting",
      "src/options/options-table",
      "src/reader",
      "src/results",
    ],
    // The judge of files: nothing of what wrote them.
    "src/verify/verify": [
      "src/arrow",
      "src/errors",
      "src/input",
      "src/options/run-options",
      "src/reader",
      "src/reference",
      "src/results",
    ],
    // The page's numbers come from what a file holds, and drawing from the numbers alone.
    "src/report": [
      "src/input/input-state",
      "node:",
      "src/options/check-options",
      "src/options/check-options",
      "src/errors",
      "src/input/interpreting",
      "src/io",
      "src/options/options-table",
      "src/output",
      "src/reader",
      "src/results",
      "src/run/run",
      "src/version",
    ],
    "src/report/numbers": [
      "node:",
      "src/errors",
      "src/input/interpreting",
      "src/reader",
      "src/report/options",
      "src/report/output-report",
      "src/results",
      "src/run/run",
    ],
    "src/report/page": [
      "node:",
      "src/format-number",
      "src/report/numbers",
      "src/report/output-report",
      "@observablehq/plot",
      "linkedom",
    ],
    workers: [
      "node:",
      "src/arrow",
      "parquet-wasm",
      "@foxglove/wasm-zstd",
      "src/io/limits",
      "src/input/parquet/",
      "src/results/row-indices",
      "src/tasks/decompress-tasks",
      "src/tasks/compress-tasks",
      "src/io",
      "src/kernels",
      "src/tasks/run-tasks",
      "src/results",
      "src/slots",
      "src/io/system-error",
    ],
    "src/cli": null,
    "src/cli/log": [
      "node:",
      "src/cli",
      "src/dataset/events",
      "src/output/commit",
      "src/run/run",
      "src/printable",
      "cli-progress",
      "pino",
    ],
  };

  const files = (folder: string) =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ts$/.test(entry.name))
      .map((entry) => join(folder, entry.name));

  const imports = (file: string) =>
    [
      ...readFileSync(join(root, file), "utf8").matchAll(
        /(?:from |import\(\s*)"([^"]+)"/g,
      ),
    ].map(([, path]) =>
      path?.startsWith(".")
        ? relative(root, resolve(root, dirname(file), path as string))
        : (path as string),
    );

  test.each(Object.entries(ALLOWED))("%s", (folder, allowed) => {
    const found = files(folder);
    expect(found.length).toBeGreaterThan(0);
    if (!allowed) return;
    // Whoever throws softjac's errors may make them of the system's.
    const classifies = allowed.includes("src/errors")
      ? ["src/io/system-error"]
      : [];
    for (const file of found)
      for (const path of imports(file))
        expect(
          [folder, "src/printable", ...allowed, ...classifies].some((prefix) =>
            path.startsWith(prefix),
          ),
          `${file} imports ${path}`,
        ).toBe(true);
  });

  test("the two writers know nothing of each other", () => {
    for (const [folder, other] of [
      ["src/run", "src/run"],
      ["src/run", "src/run"],
    ] as const)
      for (const path of files(folder).flatMap(imports))
        expect(path.startsWith(other)).toBe(false);
  });

  test("one file starts a program: Node itself, without a shell", () => {
    const starts = Object.keys(ALLOWED)
      .flatMap(files)
      .map((file) => [file, readFileSync(join(root, file), "utf8")] as const)
      .filter(([, text]) => /\bchild_process\b|"(node:)?cluster"/.test(text));
    expect(starts.map(([file]) => file)).toEqual(["src/cli/signals.ts"]);
    const calls = starts.flatMap(
      ([, text]) => text.match(/\bspawn\(.*/g) ?? [],
    );
    expect(calls).toEqual(['spawn(process.execPath, ["-e", script], {']);
    expect(starts[0]?.[1]).not.toMatch(/\bexec(Sync)?\(|\bshell\b/);
  });

  test("only cli knows process and console", () => {
    for (const folder of ["src", ...Object.keys(ALLOWED)])
      for (const file of folder.startsWith("src/cli") ? [] : files(folder)) {
        const text = readFileSync(join(root, file), "utf8").replace(
          /\/\/.*|\/\*[\s\S]*?\*\//g,
          "",
        );
        expect(text, file).not.toMatch(
          /\bconsole\.|process\.(exit|on|stdout|stderr|argv|env)\b/,
        );
      }
  });
});
