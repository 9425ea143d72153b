import { VERIFY_OPTIONS, type VerifyOptions, verify } from "../verify.js";
import { carryOut } from "./carry-out.js";
import { type CommandSpec, REPORT_FLAGS } from "./command.js";
import { EXIT } from "./exit-codes.js";
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
    help: "File that softjac run made",
  },
  options: VERIFY_OPTIONS,
  required: [{ option: "input", shown: "--input (-i)", what: "a path" }],
  flags: REPORT_FLAGS,
  examples: [
    "jacobian.arrow --input logits.arrow",
    "jacobian.arrow --input logits.arrow --all",
    "loss.arrow --input logits.arrow --label label --sample 100000",
  ],
  execute: (options, flags) =>
    carryOut(
      flags,
      (hooks) => verify(options as unknown as VerifyOptions, hooks),
      verifiedText,
      ({ ok }) => (ok ? EXIT.done : EXIT.badInput),
    ),
};
