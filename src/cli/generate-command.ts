import { GENERATE_OPTIONS, type GenerateOptions } from "../generate/options.js";
import { carryOut } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { REPORT_SETTINGS } from "./settings.js";
import { generatedText } from "./summary.js";

/** `softjac generate` */
export const GENERATE_COMMAND: CommandSpec = {
  name: "generate",
  summary: "A file of drawn logits and labels, of any size",
  usage:
    "<output> --rows <M> --classes <Q>\n\nAn Arrow IPC file of drawn logits: id, logits, and a label drawn from softmax of the row.",
  positional: {
    option: "output",
    what: "output file",
    file: "output",
    help: "File to make",
  },
  options: GENERATE_OPTIONS,
  required: [
    { option: "rows", shown: "--rows", what: "a whole number" },
    { option: "classes", shown: "--classes", what: "a whole number" },
  ],
  settings: REPORT_SETTINGS,
  examples: [
    "logits.arrow --rows 1000000 --classes 10",
    "logits.arrow --rows 100 --classes 5 --kind notebook --seed 7",
    "sure.arrow --rows 10000 --classes 100 --kind peaked --dtype float32",
  ],
  execute: (options, settings) =>
    carryOut({
      command: "generate",
      settings,
      output: options.output as string,
      make: async (hooks) => {
        const { generate } = await import("../generate/generate.js");
        return generate(options as unknown as GenerateOptions, hooks);
      },
      text: generatedText,
    }),
};
