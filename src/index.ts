export * from "./errors.js";
export { run, type RunHooks } from "./run.js";
export type { RunOptions } from "./options.js";
export type { RunReport } from "./report.js";
