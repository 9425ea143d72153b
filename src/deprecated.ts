import {
  removeStaleRuns,
  type StaleRunsOptions,
  type StaleRunsReport,
} from "./dataset/leftovers.js";
import { InputsSkippedError, ShardsFailedError } from "./errors.js";
import type { LogitsDescription } from "./inspect/inspect.js";
import type { RunProgress } from "./run.js";

// Old names of exports. The next minor release removes them.

/** @deprecated Use removeStaleRuns. */
export const removeLeftovers = removeStaleRuns;

/** @deprecated Use StaleRunsOptions. */
export type LeftoverOptions = StaleRunsOptions;

/** @deprecated Use StaleRunsReport. */
export type Leftovers = StaleRunsReport;

/** @deprecated Use InputsSkippedError. */
export const InputsLeftOutError = InputsSkippedError;

/** @deprecated Use InputsSkippedError. */
export type InputsLeftOutError = InputsSkippedError;

/** @deprecated Use ShardsFailedError. */
export const PartsFailedError = ShardsFailedError;

/** @deprecated Use ShardsFailedError. */
export type PartsFailedError = ShardsFailedError;

/** @deprecated Use LogitsDescription. */
export type FoundLogits = LogitsDescription;

/** @deprecated Use RunProgress. */
export type RunPace = RunProgress;
