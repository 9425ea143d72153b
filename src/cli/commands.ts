import type { GenerateOptions } from "../generate/options.js";
import type { InspectOptions } from "../inspect/inspect.js";
import type { ShowOptions } from "../show/show.js";
import { classesThatFit } from "./block-cells.js";
import { defineCommand } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { DATASET_COMMANDS } from "./dataset-commands.js";
import { inspectedText } from "./inspected-text.js";
import { QUEUE_COMMANDS } from "./queue-commands.js";
import { REPORT_COMMAND } from "./report-command.js";
import { leftWidth, rowText } from "./row-text.js";
import { RUN_COMMAND } from "./run-command.js";
import { resultColumns } from "./streams.js";
import { generatedText } from "./summary.js";
import { VERIFY_COMMAND } from "./verify-command.js";

/** `softjac show` */
const SHOW_COMMAND = defineCommand({
  name: "show",
  summary: "Show one row of an output: p as bars, the block as shades",
  usage:
    "Show one row of an output: its copied columns, p as bars and the block as shades, with numbers where they fit.",
  common: ["row", "position", "input", "classes", "json"],
  examples: [
    ["jacobian.arrow --row 17", ""],
    ["jacobian/ --row 17 --input train.arrow", "A row of a dataset"],
  ],
  async make(options: ShowOptions, _, { settings }) {
    const { show } = await import("../show/show.js");
    const fitting = classesThatFit(screen().columns, leftWidth(4, true));
    const asJson = settings.get("json") === true;
    return show({
      ...options,
      ...(!asJson && { classes: options.classes ?? fitting }),
    });
  },
  text: (row) => rowText(row, screen()),
  textIsResult: true,
});

/** `softjac inspect` */
const INSPECT_COMMAND = defineCommand({
  name: "inspect",
  summary: "Describe a file and print the output size of each layout",
  usage:
    "Describe a file, the logits that a run would use, and the output size of each layout.",
  common: ["column", "columns", "dtype", "scan", "json"],
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

/** `softjac generate` */
const GENERATE_COMMAND = defineCommand({
  name: "generate",
  summary: "Write a file of random logits and labels",
  usage:
    "Write an Arrow file of random logits with the columns id, logits and label. Each label is drawn from the softmax of its row.",
  common: [
    ...["rows", "classes", "kind", "scale", "seed", "dtype", "force"],
    ...["json", "quiet"],
  ],
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

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  RUN_COMMAND,
  SHOW_COMMAND,
  VERIFY_COMMAND,
  INSPECT_COMMAND,
  REPORT_COMMAND,
  GENERATE_COMMAND,
  ...DATASET_COMMANDS,
  ...QUEUE_COMMANDS,
];

/** Width of standard output, and whether it shows colors. */
function screen(): { columns: number; colour: boolean } {
  const terminal = resultColumns();
  const { NO_COLOR, FORCE_COLOR, COLUMNS } = process.env;
  const isTerminal = terminal !== undefined;
  return {
    columns: terminal ?? (Number(COLUMNS) || 80),
    colour: (isTerminal || Boolean(FORCE_COLOR)) && !NO_COLOR,
  };
}
