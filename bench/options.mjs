// The harness's command line.
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { workloads } from "./workloads.mjs";

const smallDivisor = 100;

/** Throws a sentence on anything that is not understood. */
export function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      work: { type: "string" },
      runs: { type: "string", default: "5" },
      only: { type: "string" },
      small: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
    },
  });
  const runs = Number(values.runs);
  if (!Number.isSafeInteger(runs) || runs < 1)
    throw new Error(`--runs: expected a count of 1 or more: ${values.runs}`);
  const chosen = workloads.filter(({ name }) =>
    name.includes(values.only ?? ""),
  );
  if (chosen.length === 0)
    throw new Error(
      `--only: no workload has "${values.only}" in its name: ${workloads.map(({ name }) => name).join(", ")}`,
    );
  return {
    work: values.work
      ? resolve(values.work)
      : fileURLToPath(new URL(".work", import.meta.url)),
    runs,
    small: values.small,
    workloads: values.small ? chosen.map(shrink) : chosen,
    // Figures of part of the workloads, or of toy sizes, must not replace those that README quotes.
    write: values.write || !(values.small || values.only !== undefined),
  };
}

function shrink(workload) {
  return { ...workload, rows: workload.rows / smallDivisor };
}
