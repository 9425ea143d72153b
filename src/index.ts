export {
  type CalibrateOptions,
  type CalibrateReport,
  calibrate,
} from "./calibrate/calibrate.js";
export type { DatasetReport } from "./dataset/dataset-report.js";
export type {
  DatasetEvent,
  DatasetHooks,
} from "./dataset/events.js";
export type { DatasetOptions } from "./dataset/options.js";
export {
  type DatasetDryRun,
  dryRunDataset,
  planDataset,
  runDataset,
} from "./dataset/run-dataset.js";
// `as removeLeftovers` and other second names are deprecated; the next minor release removes them.
export {
  removeStaleRuns,
  removeStaleRuns as removeLeftovers,
  type StaleRunsOptions,
  type StaleRunsOptions as LeftoverOptions,
  type StaleRunsReport,
  type StaleRunsReport as Leftovers,
} from "./dataset/stale-runs.js";
export {
  type DatasetStatus,
  datasetStatus,
  type FinalizeOptions,
  finalizeDataset,
  runShards,
  type StatusOptions,
  type TaskOptions,
} from "./dataset/tasks.js";
export { effects } from "./effects/effects.js";
export type { EffectRow, EffectsReport } from "./effects/effects-report.js";
export { type MergeOptions, mergePartials } from "./effects/merge.js";
export type { EffectName, EffectsOptions } from "./effects/options.js";
export {
  AbortedError,
  BadRowError,
  ConfigurationError,
  DatasetDamagedError,
  type ErrorCode,
  IncompleteError,
  InputChangedError,
  InputFormatError,
  InputMissingError,
  InputsSkippedError,
  InputsSkippedError as InputsLeftOutError,
  InputUnsupportedError,
  InternalError,
  IoError,
  LogitsColumnError,
  OutputClosedError,
  OutputExistsError,
  PermissionError,
  PlanMissingError,
  RaggedRowError,
  RowMissingError,
  ServiceUnavailableError,
  ShardsFailedError,
  ShardsFailedError as PartsFailedError,
  SoftjacError,
  StalledError,
  StoppedError,
  UsageError,
} from "./errors.js";
export type { LogitsKind } from "./generate/draws.js";
export {
  type GenerateOptions,
  type GenerateReport,
  generate,
} from "./generate/generate.js";
export type { FloatArray, ResultArray } from "./in-memory/compute-rows.js";
export {
  type EntriesOptions,
  type JacobianEntries,
  softmaxJacobianEntries,
} from "./in-memory/entries.js";
export {
  type InMemoryOptions,
  type ResultInputs,
  type Results,
  type ResultsOptions,
  softmax,
  softmaxJacobian,
  softmaxJacobianColumn,
  softmaxResults,
} from "./in-memory/results.js";
export type { LogitsDescription as FoundLogits } from "./inspect/inspect.js";
export {
  type Inspection,
  type InspectOptions,
  inspect,
  type LogitsDescription,
  type ValueScan,
} from "./inspect/inspect.js";
export type {
  RunHooks,
  RunProgress as RunPace,
  RunProgress,
} from "./options/hooks.js";
export type { RunOptions } from "./options/run-options.js";
export type { QueueOptions } from "./queue/broker/connection.js";
export type { WorkerOptions } from "./queue/job-handler.js";
export type { AttemptOptions } from "./queue/jobs.js";
export {
  type SubmitOptions,
  type SubmitReport,
  submitDataset,
} from "./queue/submit.js";
export { type WaitOptions, waitForDataset } from "./queue/wait.js";
export { runWorker, type WorkerReport } from "./queue/worker.js";
export { JacobianBatch } from "./reader/block-access.js";
export { JacobianReader, type RowOrIndex } from "./reader/jacobian-reader.js";
export {
  type OpenJacobianOptions,
  openJacobian,
} from "./reader/open-jacobian.js";
export type { BlockResult } from "./reader/read-block.js";
export type { ReduceOptions, RowOptions } from "./reduce/options.js";
export { type ReduceReport, reduce } from "./reduce/reduce.js";
export {
  SoftmaxSums,
  type SoftmaxSumsOptions,
  type SoftmaxSumsRows,
  type SumValues,
} from "./reduce/softmax-sums.js";
export { relativeErrorPercent } from "./reference/error-measures.js";
export type { OutputReport, ReportOptions } from "./report/output-report.js";
export { report } from "./report/report.js";
export type { EmitName, Layout } from "./results/catalogue.js";
export type { ReductionName } from "./results/reductions.js";
export type { OutputSize } from "./run/dry-run.js";
export { type DryRun, dryRun } from "./run/dry-run.js";
export { run } from "./run/run.js";
export type { RunReport } from "./run/run-report.js";
export { type ShownRow, type ShowOptions, show } from "./show/show.js";
export type { ColumnReport } from "./verify/column-check.js";
export type { ByteComparison } from "./verify/compare-bytes.js";
export {
  type VerifyOptions,
  type VerifyReport,
  verify,
} from "./verify/verify.js";
export { VERSION as version } from "./version.js";
