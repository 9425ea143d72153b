import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { built } from "./support/built.js";
import { workDirectory, writeLogits } from "./support/logits-input.js";

// A wrong call of the library is refused in one short sentence, before any file is made.

const at = workDirectory();
const input = at("in.arrow");
writeLogits(input, { rows: 4, classes: 3, logit: (r, k) => r - k });

type Refused = { code: string; message: string };

async function refusal(call: () => unknown): Promise<Refused> {
  try {
    await call();
  } catch (error) {
    const { code, message } = error as Refused;
    return { code, message };
  }
  throw new Error("nothing was refused");
}

const OPTIONS = { input, output: at("out.arrow") };

describe.each(
  Object.entries({
    run: built.run,
    verify: built.verify,
    report: built.report,
    generate: built.generate,
    inspect: built.inspect,
    runDataset: built.runDataset,
    dryRunDataset: built.dryRunDataset,
    planDataset: built.planDataset,
    runShards: built.runShards,
    finalizeDataset: built.finalizeDataset,
    submitDataset: built.submitDataset,
    runWorker: built.runWorker,
    waitForDataset: built.waitForDataset,
  }) as [string, (options: unknown, hooks?: unknown) => Promise<unknown>][],
)("%s", (_, command) => {
  test.each<[hooks: unknown, message: string]>([
    [5, "hooks: expected an object, found 5"],
    [null, "hooks: expected an object, found null"],
    [{ signal: {} }, "signal: expected an AbortSignal, found an object"],
    [{ signal: "stop" }, 'signal: expected an AbortSignal, found "stop"'],
    [{ onProgress: 7 }, "onProgress: expected a function, found 7"],
  ])("hooks %j", async (hooks, message) => {
    expect(await refusal(() => command({ ...OPTIONS }, hooks))).toEqual({
      code: "ERR_USAGE",
      message,
    });
    expect(readdirSync(at("."))).toEqual(["in.arrow"]);
  });

  test.each([undefined, null, 5, "in.arrow"])("options %j", async (options) => {
    const { code, message } = await refusal(() => command(options));
    expect(code).toBe("ERR_USAGE");
    expect(message).toMatch(
      /^options: expected an object, found (?:nothing|null|5|"in\.arrow")$/,
    );
  });
});

test("values of any kind and size are named, not printed", async () => {
  const found = async (value: unknown) =>
    (await refusal(() => built.run({ ...OPTIONS, input: value as string })))
      .message;
  expect(await found(new Uint8Array(60e6))).toBe(
    "input: expected a path, found Uint8Array of 60000000 values",
  );
  expect(await found(Symbol("s"))).toBe(
    "input: expected a path, found a symbol",
  );
  expect(await found(5n)).toBe("input: expected a path, found 5n");
  expect(await found(["a", 1])).toBe('input: expected a path, found ["a", 1]');
  expect(await found(new Map())).toBe(
    "input: expected a path, found an object of type Map",
  );
  expect(await found(Object.create(null))).toBe(
    "input: expected a path, found an object",
  );
  expect(await found(Array(1e6).fill(0))).toBe(
    "input: expected a path, found an array of 1000000 values",
  );
});

test("functions on arrays without their options", async () => {
  const logits = Float64Array.of(1, 2);
  for (const call of [
    () => built.softmax(logits, undefined as never),
    () => built.softmaxJacobian(logits, undefined as never),
    () => built.softmaxJacobianColumn(logits, 0, undefined as never),
    () => built.softmaxJacobianEntries(logits, undefined as never),
    () => built.softmaxResults(logits, undefined as never),
  ])
    expect(await refusal(call)).toEqual({
      code: "ERR_USAGE",
      message: "options: expected an object, found nothing",
    });
});

test("covariances of a wrong number: all numbers that would do", async () => {
  const call = () =>
    built.softmaxResults(new Float64Array(20), {
      rows: 2,
      classes: 10,
      emit: ["variance"],
      covariance: new Float64Array(100),
    });
  expect(await refusal(call)).toEqual({
    code: "ERR_USAGE",
    message:
      "covariance: expected 20, 110 or 200 values (10, 55 or 100 for each of 2 rows), found 100",
  });
});
