import type { CommandSpec } from "./command.js";
import { DATASET_COMMANDS } from "./dataset-commands.js";
import { GENERATE_COMMAND } from "./generate-command.js";
import { INSPECT_COMMAND } from "./inspect-command.js";
import { QUEUE_COMMANDS } from "./queue-commands.js";
import { REPORT_COMMAND } from "./report-command.js";
import { RUN_COMMAND } from "./run-command.js";
import { SHOW_COMMAND } from "./show-command.js";
import { VERIFY_COMMAND } from "./verify-command.js";

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
