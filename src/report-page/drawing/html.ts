import { printable } from "../../printable.js";

/** Markup: what is put into other markup as it is. Everything else is text. */
export class Html {
  constructor(readonly markup: string) {}
}

type Value = Html | string | number | null | readonly Value[];

/** Markup with values in it: texts escaped, lists one after the other, null nothing. */
export function html(strings: TemplateStringsArray, ...values: Value[]): Html {
  return new Html(
    strings.reduce(
      (markup, string, n) => markup + markupOf(values[n - 1] ?? null) + string,
    ),
  );
}

/** JSON for a script element of another type than a script's: nothing in it can end the element. */
export function embeddedJson(value: unknown): Html {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) =>
      `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return new Html(text);
}

function markupOf(value: Value): string {
  if (value === null) return "";
  if (value instanceof Html) return value.markup;
  if (Array.isArray(value)) return value.map(markupOf).join("");
  return escaped(String(value));
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return printable(text).replace(
    /[&<>"']/g,
    (character) => ENTITIES[character] as string,
  );
}
