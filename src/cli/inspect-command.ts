import { INSPECT_OPTIONS, type InspectOptions } from "../inspect/options.js";
import { carryOut } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { inspectedText } from "./inspected-text.js";
import { LOOK_SETTINGS } from "./settings.js";

/** `softjac inspect` */
export const INSPECT_COMMAND: CommandSpec = {
  name: "inspect",
  summary: "What a file is, and what each layout of its Jacobian would weigh",
  usage:
    "<input>\n\nSays what a file is, which logits a run would take, and what it would write.",
  positional: {
    option: "input",
    what: "input file",
    file: "read",
    help: "File to look at; - is standard input",
  },
  options: INSPECT_OPTIONS,
  required: [],
  settings: LOOK_SETTINGS,
  examples: [
    "logits.arrow",
    "logits.arrow --scan --json",
    "logits.arrow --threshold 1e-6",
  ],
  execute: (options, settings) =>
    carryOut({
      command: "inspect",
      settings,
      output: options.input as string,
      make: async (hooks) => {
        const { inspect } = await import("../inspect/inspect.js");
        return inspect(options as unknown as InspectOptions, hooks);
      },
      text: inspectedText,
      textIsResult: true,
    }),
};
