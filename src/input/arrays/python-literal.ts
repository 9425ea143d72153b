export type Literal =
  | string
  | number
  | boolean
  | null
  | Literal[]
  | Map<string, Literal>;

/** A text that is no literal, or one of a form that no header has. */
export class LiteralError extends Error {}

/** Descriptions of nested types are lists in lists; none is as deep as this. */
const MAX_DEPTH = 16;

/**
 * Reads a Python literal made of dictionaries with text keys, lists, tuples (both as arrays), texts, whole numbers, True,
 * False and None; nothing is evaluated.
 * @throws LiteralError
 */
export function parseLiteral(text: string): Literal {
  const reader = new LiteralReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class LiteralReader {
  #at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): Literal {
    if (depth > MAX_DEPTH)
      throw new LiteralError(
        `expected at most ${MAX_DEPTH} levels of nesting, found more at character ${this.#at}`,
      );
    if (this.#take("{")) return this.#dictionary(depth);
    if (this.#take("[")) return this.#items("]", depth).items;
    if (this.#take("(")) {
      const { items, comma } = this.#items(")", depth);
      // Python's (3) is a number; (3,) is a tuple.
      return items.length === 1 && !comma ? (items[0] as Literal) : items;
    }
    return this.#scalar();
  }

  end(): void {
    if (this.#peek() !== "") this.#fail("the end");
  }

  #dictionary(depth: number): Map<string, Literal> {
    const map = new Map<string, Literal>();
    while (!this.#take("}")) {
      const key = this.value(depth + 1);
      if (typeof key !== "string" || map.has(key))
        this.#fail("a string as key, each only once,");
      this.#expect(":");
      map.set(key as string, this.value(depth + 1));
      if (this.#peek() !== "}") this.#expect(",");
    }
    return map;
  }

  #items(close: string, depth: number): { items: Literal[]; comma: boolean } {
    const items: Literal[] = [];
    let comma = false;
    while (!this.#take(close)) {
      items.push(this.value(depth + 1));
      comma = this.#take(",");
      if (!comma && this.#peek() !== close) this.#fail(`, or ${close}`);
    }
    return { items, comma };
  }

  #scalar(): Literal {
    this.#peek();
    const word = /(?:(True|False|None)\b|(-?\d{1,30})L?(?![\w.]))/y;
    word.lastIndex = this.#at;
    const match = word.exec(this.text);
    if (match) {
      this.#at = word.lastIndex;
      const [, name, digits] = match;
      if (digits !== undefined) return Number(digits);
      return name === "None" ? null : name === "True";
    }
    const quoted =
      /[ub]?(?:'((?:[^'\\\n]|\\[^\n])*)'|"((?:[^"\\\n]|\\[^\n])*)")/y;
    quoted.lastIndex = this.#at;
    const found = quoted.exec(this.text);
    if (!found) this.#fail("a value");
    this.#at = quoted.lastIndex;
    return (found?.[1] ?? found?.[2] ?? "").replace(/\\(.)/g, "$1");
  }

  /** The next character but for white space; "" at the end. */
  #peek(): string {
    while (/^[ \t\r\n]$/.test(this.text.charAt(this.#at))) this.#at++;
    return this.text.charAt(this.#at);
  }

  #take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  #expect(character: string): void {
    if (!this.#take(character)) this.#fail(character);
  }

  #fail(expected: string): never {
    const found = this.text.slice(this.#at, this.#at + 20);
    throw new LiteralError(
      `expected ${expected} at character ${this.#at} of the dictionary, found ${found === "" ? "its end" : JSON.stringify(found)}`,
    );
  }
}
