import { VERIFY_OPTIONS, type VerifyOptions } from "../verify/options.js";
import { carryOut } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { EXIT } from "./exit-codes.js";
import { REPORT_SETTINGS } from "./settings.js";
import { verifiedText } from "./verified-text.js";

/** `softjac verify` */
export const VERIFY_COMMAND: CommandSpec = {
  name: "verify",
  summary: "Check an output against an independent computation",
  usage:
    "Recompute rows of an output with 31 digits, independently of the kernels that computed it, and compare.",
  positional: {
    option: "output",
    what: "output file",
    file: "read",
    help: "Output file",
  },
  options: VERIFY_OPTIONS,
  required: [{ option: "input", shown: "-i/--input" }],
  settings: REPORT_SETTINGS,
  examples: [
    ["jacobian.arrow --input logits.arrow", ""],
    ["jacobian.arrow --input logits.arrow --all", "Every row and byte"],
  ],
  execute: (options, settings) =>
    carryOut({
      command: "verify",
      settings,
      output: options.output as string,
      make: async (hooks) => {
        const { verify } = await import("../verify.js");
        return verify(options as unknown as VerifyOptions, hooks);
      },
      text: verifiedText,
      exitCode: ({ ok }) => (ok ? EXIT.done : EXIT.badInput),
    }),
};
