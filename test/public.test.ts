import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { built } from "./support/built.js";
import { distFile } from "./support/dist.js";

const NAMES = `
AbortedError BadRowError ConfigurationError DatasetDamagedError
IncompleteError InputChangedError InputFormatError InputMissingError
InputUnsupportedError InputsLeftOutError InputsSkippedError InternalError
IoError JacobianBatch JacobianReader LogitsColumnError OutputClosedError
OutputExistsError PartsFailedError
PermissionError PlanMissingError RaggedRowError RowMissingError
ServiceUnavailableError ShardsFailedError SoftjacError SoftmaxSums
StalledError StoppedError UsageError calibrate datasetStatus dryRun
dryRunDataset effects finalizeDataset generate inspect mergePartials
openJacobian planDataset reduce relativeErrorPercent removeLeftovers
removeStaleRuns report run runDataset runShards runWorker show softmax
softmaxJacobian softmaxJacobianColumn softmaxJacobianEntries softmaxResults
submitDataset verify version waitForDataset`;

test("the public names", () => {
  // Node adds these names to those of a CommonJS module.
  const added = ["default", "module.exports"];
  const names = Object.keys(built).filter((name) => !added.includes(name));
  expect(names.sort()).toEqual(NAMES.trim().split(/\s+/));
});

test("declarations spell out types instead of naming the functions that return them", () => {
  const text = readFileSync(distFile("index.d.ts"), "utf8");
  expect(text).toContain("export declare interface OutputReport");
  expect(text.match(/ReturnType<.*/g)).toBeNull();
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
