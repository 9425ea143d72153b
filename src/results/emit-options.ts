import { UsageError } from "../errors.js";
import {
  EMITS,
  type EmitName,
  type InputName,
  type Layout,
} from "./catalogue.js";
import { neededInputs } from "./columns.js";

/** The options that name what a result is made of beside the logits. */
export type InputOptions = { class?: number | undefined } & {
  [option in InputName]?: string | undefined;
};

const INPUT_NAMES: readonly InputName[] = [
  "cotangent",
  "tangent",
  "covariance",
  "label",
  "classColumn",
];

/**
 * Checks that the results asked for, the layout, and the inputs go together.
 * @throws UsageError
 */
export function checkEmit(
  emit: readonly EmitName[],
  layout: Layout,
  options: InputOptions,
): void {
  if (emit.length === 0)
    throw new UsageError("emit: expected a result, found none", "emit");
  const twice = emit.find((name, k) => emit.indexOf(name) !== k);
  if (twice !== undefined)
    throw new UsageError(
      `emit: expected each result once, found ${twice} twice`,
      "emit",
    );
  if (layout === "packed" && emit.includes("log_jacobian"))
    throw new UsageError(
      "layout: expected another layout than packed for log_jacobian, which is not symmetric",
      "layout",
    );
  const blocks = emit.some((name) => /jacobian$/.test(name));
  if (layout !== "bsr" && !blocks)
    throw new UsageError(
      `layout: expected jacobian or log_jacobian among the results for layout ${layout}, found ${emit.join(", ")}`,
      "layout",
    );
  if (options.class !== undefined && options.classColumn !== undefined)
    throw new UsageError(
      "class, classColumn: expected one of the two, found both",
      "classColumn",
    );
  const needed = neededInputs(emit, { class: options.class });
  for (const option of needed)
    if (options[option] === undefined)
      throw new UsageError(
        `${option}: expected the name of a column for ${usersOf(option, emit)}, found nothing`,
        option,
      );
  for (const option of [...INPUT_NAMES, "class" as const]) {
    const given = options[option] !== undefined;
    const used =
      option === "class" ? emit.includes("column") : needed.includes(option);
    if (given && !used)
      throw new UsageError(
        `${option}: expected a result that uses it (${usersOf(option)}), found ${emit.join(", ")}`,
        option,
      );
  }
}

/** The columns to read beside the logits. */
export function inputsOf(
  emit: readonly EmitName[],
  options: InputOptions,
): { option: InputName; name: string }[] {
  return neededInputs(emit, { class: options.class }).map((option) => ({
    option,
    name: options[option] as string,
  }));
}

function usersOf(
  option: InputName | "class",
  among: readonly EmitName[] = Object.keys(EMITS) as EmitName[],
): string {
  const input = option === "class" ? "classColumn" : option;
  return among
    .filter((name) => (EMITS[name] as { input?: InputName }).input === input)
    .join(", ");
}
