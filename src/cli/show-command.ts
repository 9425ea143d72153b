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
  summary: "One row of an output: p as bars, the block in shades",
  usage:
    "<results> --row <n>\n\nShows one row of an output: its kept columns, p as bars, and the block in shades, with numbers where they fit.",
  positional: {
    option: "results",
    what: "file or folder of results",
    file: "read",
    help: "File of results, or folder of a dataset",
  },
  options: SHOW_OPTIONS,
  required: [{ option: "row", shown: "--row", what: "a row" }],
  settings: LOOK_SETTINGS,
  examples: [
    "jacobian.arrow --row 17",
    "jacobian.arrow --row 17 --classes 5 --json",
    "parts/ --row 17 --input train.arrow",
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
