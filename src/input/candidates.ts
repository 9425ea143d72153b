import { LogitsColumnError } from "../errors.js";
import { shortList, shortName } from "../printable.js";

/** A column or array that could hold the logits, whether or not it can be read as rows of classes. */
export interface Candidate {
  name: string;
  /** Type and shape, for messages. */
  type: string;
  /** Its form, as messages call several of it: `floats in lists`; null if it cannot be read. */
  form: string | null;
  isFloat: boolean;
  /** Why it cannot be read as rows of classes. */
  problem: string;
}

/** Advice for single numbers per row. */
export const USE_BINARY =
  "if these are margins z (log-odds of class 1), use --binary, which makes the logits (0, z)";

/** The same where they are not. */
export const OMIT_BINARY = "omit --binary if these are logits";

const LOGITS = /^logits?$/;
const OTHER = /^(ids?|masks?|labels?|embeddings?|features?|hidden)$/;

/** Returns what the words of a name (label_ids, labelIds, token.ids) imply about its values. */
export function nameSays(name: string): "logits" | "other" | "nothing" {
  const words = name
    .split(/[^\p{L}]+|(?<=\p{Ll})(?=\p{Lu})/u)
    .map((word) => word.toLowerCase());
  if (words.some((word) => LOGITS.test(word))) return "logits";
  return words.some((word) => OTHER.test(word)) ? "other" : "nothing";
}

/**
 * Chooses the only candidate of the first form that there is. Refuses where that would be a guess: integers beside floats
 * that could be meant, a name of something else, or a name of logits on a candidate that cannot be read.
 *
 * @param none message if there is no candidate of these forms
 * @returns its place among the candidates
 * @throws LogitsColumnError
 */
export function chooseCandidate(
  path: string,
  thing: "column" | "array",
  candidates: readonly Candidate[],
  forms: readonly string[],
  none: string,
): number {
  const form = forms.find((name) =>
    candidates.some((candidate) => candidate.form === name),
  );
  if (form === undefined) throw new LogitsColumnError(path, none);
  const found = candidates.filter((candidate) => candidate.form === form);
  const [one] = found as [Candidate];
  if (found.length > 1) {
    const listed = shortList(
      found,
      ({ name, type }) => `${shortName(name)}: ${shortName(type)}`,
    );
    const areBatches =
      thing === "array" && found.every(({ name }) => /\d$/.test(name));
    throw new LogitsColumnError(
      path,
      `several ${thing}s of ${form}: ${listed}; choose one with --column${areBatches ? ", or concatenate their rows with --columns" : ""}`,
    );
  }
  const others = candidates.filter(
    (candidate) => candidate.isFloat && candidate !== one,
  );
  const own = nameSays(one.name);
  const isNamed = others.some(({ name }) => nameSays(name) === "logits");
  let problem: string | null = null;
  if (own === "other") problem = "it is not named like logits";
  else if (!one.isFloat && others.length > 0) problem = "it holds integers";
  else if (own === "nothing" && isNamed)
    problem = "another is named like logits";
  if (problem === null) return candidates.indexOf(one);
  const listed = shortList(
    [{ ...one, problem }, ...others],
    ({ name, type, problem }) =>
      `${shortName(name)}: ${shortName(type)} (${problem})`,
  );
  throw new LogitsColumnError(
    path,
    `it is not clear which ${thing} holds the logits; choose it with --column${thing === "column" ? ", or several with --columns" : ""}: ${listed}`,
  );
}
