import { INSPECT_OPTIONS, type InspectOptions } from "../inspect/options.js";
import { defineCommand } from "./carry-out.js";
import { inspectedText } from "./inspected-text.js";
import { LOOK_SETTINGS } from "./settings.js";

/** `softjac inspect` */
export const INSPECT_COMMAND = defineCommand({
  name: "inspect",
  summary: "Describe a file and estimate the output size of each layout",
  usage:
    "Describe a file, the logits that a run would use, and the output size of each layout.",
  positional: {
    option: "input",
    what: "input file",
    file: "read",
    help: "Arrow, Parquet, .npy, .npz or safetensors; - is standard input",
  },
  options: INSPECT_OPTIONS,
  required: [],
  settings: LOOK_SETTINGS,
  examples: [
    ["logits.arrow", ""],
    ["logits.arrow --scan --json", ""],
  ],
  async make(options: InspectOptions, hooks) {
    const { inspect } = await import("../inspect/inspect.js");
    return inspect(options, hooks);
  },
  text: inspectedText,
  textIsResult: true,
});
