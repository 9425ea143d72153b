import { LogitsColumnError } from "../errors.js";
import { shortList, shortName } from "../printable.js";

/** Column or array that might hold the logits, whether or not it can be read as rows of classes. */
export interface Candidate {
  name: string;
  /** Type and shape, for messages. */
  type: string;
  /** Form in the plural, for messages (`floats in lists`); null if it cannot be read. */
  form: string | null;
  isFloat: boolean;
  /** Reason why it cannot be read as rows of classes. */
  problem: string;
}

/** Advice for single numbers per row. */
export const USE_BINARY =
  "if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)";

/** Advice for --binary with several numbers per row. */
export const OMIT_BINARY = "omit --binary if these are logits";

const LOGITS = /^logits?$/;
const NOT_LOGITS = /^(ids?|masks?|labels?|embeddings?|features?|hidden)$/;

/** Returns what the words of a name (label_ids, labelIds, token.ids) imply about its values. */
export function nameHint(name: string): "logits" | "other" | "nothing" {
  const words = name
    .split(/[^\p{L}]+|(?<=\p{Ll})(?=\p{Lu})/u)
    .map((word) => word.toLowerCase());
  if (words.some((word) => LOGITS.test(word))) return "logits";
  return words.some((word) => NOT_LOGITS.test(word)) ? "other" : "nothing";
}

/**
 * Chooses the only candidate of the first form that occurs. Rejects a guess: integers if there are also floats, a name that
 * means something else, or another candidate that is named like logits.
 *
 * @param none message if no candidate has one of these forms
 * @returns the index of the chosen candidate
 * @throws LogitsColumnError
 */
export function chooseCandidate(
  path: string,
  kind: "column" | "array",
  candidates: readonly Candidate[],
  forms: readonly string[],
  none: string,
): number {
  const form = forms.find((name) =>
    candidates.some((candidate) => candidate.form === name),
  );
  if (form === undefined) throw new LogitsColumnError(path, none);
  const matching = candidates.filter((candidate) => candidate.form === form);
  const [chosen] = matching as [Candidate];
  if (matching.length > 1) {
    const listed = shortList(
      matching,
      ({ name, type }) => `${shortName(name)}: ${shortName(type)}`,
    );
    const areBatches =
      kind === "array" && matching.every(({ name }) => /\d$/.test(name));
    throw new LogitsColumnError(
      path,
      `several ${kind}s of ${form}: ${listed}; choose one with --column${areBatches ? ", or concatenate their rows with --columns" : ""}`,
    );
  }
  const others = candidates.filter(
    (candidate) => candidate.isFloat && candidate !== chosen,
  );
  const hint = nameHint(chosen.name);
  const isOtherNamed = others.some(({ name }) => nameHint(name) === "logits");
  let problem: string | null = null;
  if (hint === "other") problem = "it is not named like logits";
  else if (!chosen.isFloat && others.length > 0) problem = "it holds integers";
  else if (hint === "nothing" && isOtherNamed)
    problem = "another is named like logits";
  if (problem === null) return candidates.indexOf(chosen);
  const listed = shortList(
    [{ ...chosen, problem }, ...others],
    ({ name, type, problem }) =>
      `${shortName(name)}: ${shortName(type)} (${problem})`,
  );
  throw new LogitsColumnError(
    path,
    `it is not clear which ${kind} holds the logits; choose it with --column${kind === "column" ? ", or several with --columns" : ""}: ${listed}`,
  );
}
