import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

// Wrong calls of the library are rejected in one short sentence, before any file is made.

const at = workDirectory();
const input = at("in.arrow");
writeLogits(input, { rows: 4, classes: 3, logit: (r, k) => r - k });
const OPTIONS = { input, output: at("out.arrow") };

async function expectUsageError(message: string, call: () => unknown) {
  const error = expect.objectContaining({ code: "ERR_USAGE", message });
  await expect((async () => call())()).rejects.toEqual(error);
}

const FUNCTIONS =
  `run verify report generate inspect runDataset dryRunDataset planDataset
  runShards finalizeDataset submitDataset runWorker waitForDataset
  reduce effects calibrate mergePartials datasetStatus removeStaleRuns`.split(
    /\s+/,
  ) as (keyof typeof built)[];

test.each(FUNCTIONS)("%s rejects wrong hooks and options", async (name) => {
  const call = built[name] as (options: unknown, hooks?: unknown) => unknown;
  for (const [hooks, message] of [
    [5, "hooks: expected an object, found 5"],
    [null, "hooks: expected an object, found null"],
    [{ signal: {} }, "signal: expected an AbortSignal, found an object"],
    [{ signal: "stop" }, 'signal: expected an AbortSignal, found "stop"'],
    [{ onProgress: 7 }, "onProgress: expected a function, found 7"],
  ] as const)
    await expectUsageError(message, () => call({ ...OPTIONS }, hooks));
  for (const [options, found] of [
    [undefined, "nothing"],
    [null, "null"],
    [5, "5"],
    ["in.arrow", '"in.arrow"'],
  ])
    await expectUsageError(`options: expected an object, found ${found}`, () =>
      call(options),
    );
  expect(readdirSync(at("."))).toEqual(["in.arrow"]);
});

test.each<[value: unknown, shown: string]>([
  [new Uint8Array(60e6), "Uint8Array of 60000000 values"],
  [Symbol("s"), "a symbol"],
  [5n, "5n"],
  [["a", 1], '["a", 1]'],
  [new Map(), "an object of type Map"],
  [Object.create(null), "an object"],
  [Array(1e6).fill(0), "an array of 1000000 values"],
])("a value is described, not printed: $1", async (value, shown) => {
  await expectUsageError(`input: expected a path, found ${shown}`, () =>
    built.run({ ...OPTIONS, input: value as string }),
  );
});

test("functions on arrays need options", async () => {
  const logits = Float64Array.of(1, 2);
  for (const call of [
    () => built.softmax(logits, undefined as never),
    () => built.softmaxJacobian(logits, undefined as never),
    () => built.softmaxJacobianColumn(logits, 0, undefined as never),
    () => built.softmaxJacobianEntries(logits, undefined as never),
    () => built.softmaxResults(logits, undefined as never),
  ])
    await expectUsageError("options: expected an object, found nothing", call);
});

test.each<[options: object, message: string]>([
  [
    { threads: Symbol("s") },
    "threads: expected a whole number from 1 to 256, found a symbol",
  ],
  [
    { layout: Object.create(null) },
    "layout: expected a string, found an object",
  ],
  [{ output: "a\0b" }, 'output: expected a path, found "a\\x00b"'],
  [
    { temperatureFile: "a\0b" },
    'temperatureFile: expected a path, found "a\\x00b"',
  ],
])(
  "values that Node.js or a comparison cannot take: %s",
  async (options, message) => {
    await expectUsageError(message, () =>
      built.run({ ...OPTIONS, ...options } as never),
    );
  },
);
