import { SHOW_OPTIONS, type ShowOptions } from "../show/options.js";
import { classesThatFit } from "./block-cells.js";
import { carryOut } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { leftWidth, rowText } from "./row-text.js";
import { LOOK_SETTINGS } from "./settings.js";
import { resultColumns } from "./streams.js";

/** `softjac show` */
export const SHOW_COMMAND: CommandSpec = {
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
  execute(given, settings) {
    const options = given as unknown as ShowOptions;
    const terminal = resultColumns();
    const { NO_COLOR, FORCE_COLOR, COLUMNS } = process.env;
    const columns = terminal ?? (Number(COLUMNS) || 80);
    const isTerminal = terminal !== undefined;
    const colour = (isTerminal || Boolean(FORCE_COLOR)) && !NO_COLOR;
    const fitting = classesThatFit(columns, leftWidth(4, true));
    const asJson = settings.get("json") === true;
    return carryOut({
      command: "show",
      settings,
      output: options.results,
      async make() {
        const { show } = await import("../show/show.js");
        return show({
          ...options,
          ...(!asJson && { classes: options.classes ?? fitting }),
        });
      },
      text: (row) => rowText(row, { columns, colour }),
      textIsResult: true,
    });
  },
};
