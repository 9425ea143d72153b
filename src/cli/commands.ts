import type { CommandSpec } from "./command.js";
import { GENERATE_COMMAND } from "./generate-command.js";
import { RUN_COMMAND } from "./run-command.js";

/** All commands, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [RUN_COMMAND, GENERATE_COMMAND];
