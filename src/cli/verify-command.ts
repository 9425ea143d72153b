import { VERIFY_OPTIONS, type VerifyOptions } from "../verify/options.js";
import { carryOut } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { EXIT } from "./exit-codes.js";
import { REPORT_SETTINGS } from "./settings.js";
import { verifiedText } from "./verified-text.js";

/** `softjac verify` */
export const VERIFY_COMMAND: CommandSpec = {
  name: "verify",
  summary: "Is a file of results right? Against an independent computation",
  usage:
    "<output> --input <input>\n\nRecomputes results in 31 digits, without the kernels that made them, and compares.",
  positional: {
    option: "output",
    what: "file of results",
    file: "read",
    help: "File that softjac run made",
  },
  options: VERIFY_OPTIONS,
  required: [{ option: "input", shown: "--input (-i)", what: "a path" }],
  settings: REPORT_SETTINGS,
  examples: [
    "jacobian.arrow --input logits.arrow",
    "jacobian.arrow --input logits.arrow --all",
    "loss.arrow --input logits.arrow --sample 100000",
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
