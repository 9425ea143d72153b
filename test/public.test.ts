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
    "src/numeric": [],
    "src/numeric/portable": [],
    "src/results": ["src/errors", "src/numeric"],
    // The judge of the kernels: nothing of theirs.
    "src/reference": ["src/errors", "src/results"],
    "src/io": ["node:"],
    "src/slots": ["node:", "src/arrow", "src/numeric", "src/errors"],
    "src/arrow": ["node:"],
    "src/input": [
      "node:",
      "src/io",
      "src/arrow",
      "src/errors",
      "src/results",
      "src/store/location",
      // The NaN that marks a null.
      "src/numeric/bad-row",
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
      "src/input/compression/protocol",
      "src/system-error",
      "zstddec/stream",
      "@foxglove/wasm-zstd",
    ],
    "src/compressed": [
      "src/arrow",
      "src/input/arrow-metadata",
      "src/io",
      "src/output",
      "src/system-error",
      "src/threads",
      "workers/compress",
    ],
    "src/threads": ["src/errors", "piscina"],
    "workers/compress": [
      "src/compressed/protocol",
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
      "src/output/arrow-encode",
      "src/output/jacobian-file",
    ],
    "src/output": [
      "node:",
      "src/io",
      "src/arrow",
      "src/errors",
      "src/options-table",
      "src/results",
      "src/store/location",
      "apache-arrow/",
      "flatbuffers",
    ],
    // A conductor over runs on parts of files.
    "src/dataset": [
      "node:",
      "src/check-options",
      "src/errors",
      "src/input/needed-bytes",
      "src/input/first-rows",
      "src/input/input-state",
      "src/input/limits",
      "src/input/logits-file",
      "src/input/open-logits",
      "src/input/partitions",
      "src/io/pooled",
      "src/io/report-clock",
      "src/io/temporary-names",
      "src/job",
      "src/open-output",
      "src/options",
      "src/options-table",
      "src/output/temporary-file",
      "src/output/written-files",
      "src/plan",
      "src/pool/crew",
      "src/produce",
      "src/report",
      "src/results",
      "src/run",
      "src/start-early",
      "src/store",
      "src/version",
      "picomatch",
    ],
    // Where datasets are kept; of softjac it knows nothing.
    "src/store": ["node:", "src/errors", "src/io", "src/options-table"],
    "src/store/s3": [
      "node:",
      "src/errors",
      "src/io",
      "src/store",
      "@aws-sdk/client-s3",
    ],
    // Who might make what; what is made, and recorded, is the dataset's affair.
    "src/queue": [
      "node:",
      "src/check-options",
      "src/dataset",
      "src/errors",
      "src/io/report-clock",
      "src/options",
      "src/options-table",
      "src/store/location",
      "src/store/s3-options",
      "src/version",
      "bullmq",
      "ioredis",
    ],
    // A conductor of its own, over the same output as run.
    "src/generate": [
      "src/arrow",
      "src/check-options",
      "src/errors",
      "src/io",
      "src/options-table",
      "src/output",
      "src/results",
      "src/run",
      "src/strides",
      "src/version",
    ],
    "src/reader": [
      "node:",
      "src/arrow",
      "src/check-options",
      "src/dataset/records",
      "src/dataset/names",
      "src/errors",
      "src/input",
      "src/numeric",
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
      "src/check-options",
      "src/errors",
      "src/input/interpreting",
      "src/options-table",
      "src/reader",
      "src/results",
    ],
    // The judge of files: nothing of what wrote them.
    "src/verify": [
      "src/arrow",
      "src/errors",
      "src/input",
      "src/options",
      "src/reader",
      "src/reference",
      "src/results",
    ],
    // The page's numbers come from what a file holds, and drawing from the numbers alone.
    "src/report-page": [
      "src/input/input-state",
      "node:",
      "src/check-options",
      "src/check-options",
      "src/errors",
      "src/input/interpreting",
      "src/io",
      "src/options-table",
      "src/output",
      "src/reader",
      "src/results",
      "src/run",
      "src/version",
    ],
    "src/report-page/numbers": [
      "node:",
      "src/errors",
      "src/input/interpreting",
      "src/reader",
      "src/report-page/options",
      "src/report-page/output-report",
      "src/results",
      "src/run",
    ],
    "src/report-page/drawing": [
      "node:",
      "src/number-text",
      "src/report-page/numbers",
      "src/report-page/output-report",
      "@observablehq/plot",
      "linkedom",
    ],
    workers: [
      "node:",
      "src/arrow",
      "parquet-wasm",
      "@foxglove/wasm-zstd",
      "src/input/limits",
      "src/input/parquet/",
      "src/input/row-indices",
      "src/input/compression/protocol",
      "src/compressed/protocol",
      "src/io",
      "src/numeric",
      "src/pool/protocol",
      "src/results",
      "src/slots",
      "src/system-error",
    ],
    "src/cli": null,
    "src/cli/reporting": [
      "node:",
      "src/cli",
      "src/dataset/events",
      "src/output/commit",
      "src/run",
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
      ? ["src/system-error"]
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
      ["src/planned", "src/ordered"],
      ["src/ordered", "src/planned"],
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
