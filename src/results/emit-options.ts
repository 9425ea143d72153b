import { UsageError } from "../errors.js";
import {
  type DroppedName,
  EMITS,
  type EmitName,
  type EmitSpec,
  type InputName,
  isDropped,
  isEntriesLayout,
  type Layout,
} from "./catalogue.js";
import { isJacobian, neededInputs } from "./columns.js";

/** Name of a result of a run. */
export type RunEmit = EmitName | DroppedName;

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

export function isInputName(name: string): name is InputName {
  return (INPUT_NAMES as readonly string[]).includes(name);
}

/** Without a word of the user: entries stand alone where every table row is one. */
export function defaultEmit(layout: Layout): readonly RunEmit[] {
  return layout === "coo" ? ["jacobian"] : ["softmax", "jacobian"];
}

/** Those that the kernel computes one by one. */
export function resultsOf(emit: readonly RunEmit[]): EmitName[] {
  return emit.filter((name): name is EmitName => !isDropped(name));
}

/**
 * Checks that the results asked for, the layout, and the inputs go together.
 * @throws UsageError
 */
export function checkEmit(
  emit: readonly RunEmit[],
  layout: Layout,
  options: InputOptions,
): void {
  if (emit.length === 0)
    throw new UsageError("emit: expected at least one result", "emit");
  const twice = emit.find((name, k) => emit.indexOf(name) !== k);
  if (twice !== undefined)
    throw new UsageError(`emit: ${twice} is given twice`, "emit");
  checkLayout(emit, layout);
  checkInputs(resultsOf(emit), options);
}

function checkLayout(emit: readonly RunEmit[], layout: Layout): void {
  if (layout === "packed" && emit.includes("log_jacobian"))
    throw new UsageError(
      "layout: packed cannot store log_jacobian, which is not symmetric; use another layout",
      "layout",
    );
  const laidOut = emit.filter(isJacobian);
  if (layout !== "bsr" && laidOut.length === 0)
    throw new UsageError(
      `layout: ${layout} needs jacobian or log_jacobian in emit, found ${emit.join(", ")}`,
      "layout",
    );
  if (!isEntriesLayout(layout)) {
    const dropped = emit.find(isDropped);
    if (dropped)
      throw new UsageError(
        `emit: ${dropped} needs layout csr or coo, found ${layout}`,
        "emit",
      );
    return;
  }
  if (laidOut.length > 1)
    throw new UsageError(
      `emit: layout ${layout} stores only one of ${laidOut.join(" and ")}`,
      "emit",
    );
  const wide = resultsOf(emit).find(
    (name) => !isJacobian(name) && (EMITS[name] as EmitSpec).shape !== "scalar",
  );
  if (layout === "coo" && wide)
    throw new UsageError(
      `emit: layout coo has one table row per entry and cannot store ${wide}, which has several values per row; use layout csr`,
      "emit",
    );
}

function checkInputs(emit: readonly EmitName[], options: InputOptions): void {
  if (options.class !== undefined && options.classColumn !== undefined)
    throw new UsageError(
      "class, classColumn: give only one of them",
      "classColumn",
    );
  const needed = neededInputs(emit, { class: options.class });
  for (const option of needed)
    if (options[option] === undefined)
      throw new UsageError(
        `${option}: ${usersOf(option, emit)} needs the name of a column${option === "classColumn" ? "; class is one class for all rows" : ""}`,
        option,
      );
  for (const option of [...INPUT_NAMES, "class" as const]) {
    const given = options[option] !== undefined;
    const used =
      option === "class" ? emit.includes("column") : needed.includes(option);
    if (given && !used)
      throw new UsageError(
        `${option}: only for --emit ${usersOf(option)}, found ${emit.join(", ")}`,
        option,
      );
  }
}

/** The columns to read beside the logits. */
export function inputsOf(
  emit: readonly RunEmit[],
  options: InputOptions,
): { option: InputName; name: string }[] {
  return neededInputs(resultsOf(emit), { class: options.class }).map(
    (option) => ({
      option,
      name: options[option] as string,
    }),
  );
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
