import { GENERATE_OPTIONS, type GenerateOptions } from "../generate/options.js";
import { defineCommand } from "./carry-out.js";
import { REPORT_SETTINGS } from "./settings.js";
import { generatedText } from "./summary.js";

/** `softjac generate` */
export const GENERATE_COMMAND = defineCommand({
  name: "generate",
  summary: "Write a file of random logits and labels",
  usage:
    "Write an Arrow file of random logits with the columns id, logits and label. Each label is drawn from the softmax of its row.",
  positional: {
    option: "output",
    what: "output file",
    file: "output",
    help: "Output file",
  },
  options: GENERATE_OPTIONS,
  required: [
    { option: "rows", shown: "--rows" },
    { option: "classes", shown: "--classes" },
  ],
  settings: REPORT_SETTINGS,
  examples: [
    ["logits.arrow --rows 1000000 --classes 10", ""],
    ["logits.arrow --rows 100 --classes 5 --kind notebook --seed 7", ""],
  ],
  async make(options: GenerateOptions, hooks) {
    const { generate } = await import("../generate/generate.js");
    return generate(options, hooks);
  },
  text: generatedText,
});
