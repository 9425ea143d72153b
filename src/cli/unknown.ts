import { distance } from "fastest-levenshtein";
import type { OptionSpec } from "../options/options-table.js";
import { shortList, shortName } from "../printable.js";
import { type CommandSpec, flagNames, flagsOf, kebab } from "./command.js";
import { removedOption } from "./configuration.js";

// Messages about unknown names. This module is loaded only when they are needed.

export function unknownCommand(
  name: string,
  commands: readonly CommandSpec[],
): string {
  const names = [...commands.map((command) => command.name), "completion"];
  const list = '; run "softjac --help" for the list';
  return `unknown command "${shortName(name)}"${suggestion(name, names) || list}`;
}

/** @param unknown options with their dashes */
export function unknownOptions(
  unknown: readonly string[],
  command: CommandSpec,
): string {
  for (const name of unknown) {
    const own = name.replace(/^--?(?:no-)?/, "");
    const removed = removedOption(own, `--${own}`, command.name);
    if (removed) return removed;
  }
  const flags = flagsOf(command).flatMap(flagNames);
  const list = `; run "softjac ${command.name} --help --all" for the list`;
  const [first = "", ...others] = unknown;
  if (others.length === 0)
    return `unknown option ${shortName(first)} for "softjac ${command.name}"${suggestion(first, flags) || list}`;
  const shown = shortList([first, ...others], (name) => {
    const meant = suggestName(name, flags);
    return `${shortName(name)}${meant === null ? "" : ` (did you mean ${meant}?)`}`;
  });
  return `unknown options ${shown} for "softjac ${command.name}"${list}`;
}

export function unknownValue(
  { name, choices = [] }: OptionSpec,
  value: string,
): string {
  return `--${kebab(name)}: expected one of ${choices.join(", ")}, found "${shortName(value)}"${suggestion(value, choices)}`;
}

/** Returns the end of a message, "; did you mean run?", or "" if no name is similar. */
export function suggestion(found: string, names: readonly string[]): string {
  const name = suggestName(found, names);
  return name === null ? "" : `; did you mean ${name}?`;
}

/** Returns the most similar name; null if more than two letters, or more than a third, differ. */
function suggestName(found: string, names: readonly string[]): string | null {
  const [best] = names
    .map((name) => ({ name, edits: editsBetween(found, name) }))
    .sort((a, b) => a.edits - b.edits);
  const maxEdits = Math.min(2, Math.floor(found.replace(/^-+/, "").length / 3));
  return best && best.edits <= maxEdits ? best.name : null;
}

/** Returns the Levenshtein distance, counting a swap of neighboring letters as one edit. */
function editsBetween(a: string, b: string): number {
  for (let k = 0; k + 1 < a.length; k++) {
    const swapped =
      a.slice(0, k) + a.charAt(k + 1) + a.charAt(k) + a.slice(k + 2);
    if (swapped === b) return 1;
  }
  return distance(a, b);
}
