import { VERIFY_OPTIONS, type VerifyOptions } from "../verify/options.js";
import { defineCommand } from "./carry-out.js";
import { EXIT } from "./exit-codes.js";
import { REPORT_SETTINGS } from "./settings.js";
import { verifiedText } from "./verified-text.js";

/** `softjac verify` */
export const VERIFY_COMMAND = defineCommand({
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
  async make(options: VerifyOptions, hooks) {
    const { verify } = await import("../verify.js");
    return verify(options, hooks);
  },
  text: verifiedText,
  exitCode: ({ ok }) => (ok ? EXIT.done : EXIT.badInput),
});
