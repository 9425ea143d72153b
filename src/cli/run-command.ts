import { dryRun } from "../dry-run.js";
import { UsageError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { RUN_OPTIONS } from "../options-table.js";
import { EMIT_NAMES, EMITS } from "../results/catalogue.js";
import { run } from "../run.js";
import { carryOut, failed, printJson } from "./carry-out.js";
import {
  type CommandFlags,
  type CommandSpec,
  REPORT_FLAGS,
} from "./command.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { endBySignal } from "./signals.js";
import { dryRunText, reportText } from "./summary.js";

/** `softjac run` */
export const RUN_COMMAND: CommandSpec = {
  name: "run",
  summary: "Softmax and its Jacobian blocks of every row of a file",
  usage:
    "<input> -o <output>\n\nSoftmax and its Jacobian blocks of every row of a file of logits.",
  positional: {
    option: "input",
    what: "input file",
    help: "File of logits: Arrow, Parquet, npy, npz or safetensors; - is standard input",
  },
  options: RUN_OPTIONS,
  required: [{ option: "output", shown: "--output (-o)", what: "a path" }],
  flags: { "dry-run": "Print the plan and do nothing", ...REPORT_FLAGS },
  examples: [
    "logits.arrow -o jacobian.arrow",
    "logits.arrow -o jacobian.arrow --keep id,label --dtype float32",
    "wide.arrow -o jacobian.arrow --columns 'logit_*'",
    "logits.arrow -o jacobian.arrow --dry-run",
  ],
  epilogue: `Results for --emit (p = softmax(o/T)):\n${emitHelp()}`,
  async execute(given, flags) {
    const options = given as unknown as RunOptions;
    if (flags.has("dry-run")) return printPlan(options, flags);
    if (options.output === "-" && flags.has("json"))
      return failed(
        new UsageError(
          "--json: expected a file as output, since the report goes to standard output, found -",
          "json",
        ),
        EXIT.usage,
        new Set(),
      );
    const code = await carryOut(
      flags,
      (hooks) => run(options, hooks),
      reportText,
    );
    // A write to a pipe that nobody reads cannot be taken back, and would keep the process.
    if (options.output === "-") endBySignal(code);
    return code;
  },
};

async function printPlan(
  options: RunOptions,
  flags: CommandFlags,
): Promise<number> {
  try {
    const plan = await dryRun(options);
    if (flags.has("json")) printJson(plan);
    else process.stdout.write(dryRunText(plan));
    return EXIT.done;
  } catch (error) {
    return failed(error, exitCodeOf(error, null), flags);
  }
}

function emitHelp(): string {
  const width = Math.max(...EMIT_NAMES.map(({ length }) => length));
  return EMIT_NAMES.map(
    (name) => `  ${name.padEnd(width)}  ${EMITS[name].help}`,
  ).join("\n");
}
