export { type DryRun, dryRun } from "./dry-run.js";
export * from "./errors.js";
export type { RunOptions } from "./options.js";
export type { RunReport } from "./report.js";
export { type RunHooks, run } from "./run.js";
