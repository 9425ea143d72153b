import { SHOW_OPTIONS, type ShowOptions } from "../show/options.js";
import { classesThatFit } from "./block-cells.js";
import { defineCommand } from "./carry-out.js";
import { leftWidth, rowText } from "./row-text.js";
import { LOOK_SETTINGS } from "./settings.js";
import { resultColumns } from "./streams.js";

/** `softjac show` */
export const SHOW_COMMAND = defineCommand({
  name: "show",
  summary: "Show one row of an output: p as bars, the block as shades",
  usage:
    "Show one row of an output: its copied columns, p as bars and the block as shades, with numbers where they fit.",
  positional: {
    option: "results",
    what: "output file or directory",
    file: "read",
    help: "Output file, or directory of a dataset",
  },
  options: SHOW_OPTIONS,
  required: [{ option: "row", shown: "--row" }],
  settings: LOOK_SETTINGS,
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
