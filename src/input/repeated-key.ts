/**
 * Returns the first key that an object in a valid JSON text has twice; null where there is none. JSON.parse keeps the
 * last of them without a word.
 */
export function repeatedKey(json: string): string | null {
  const open: Set<string>[] = [];
  let text = '""';
  for (let at = 0; at < json.length; at++)
    switch (json[at]) {
      case "{":
        open.push(new Set());
        break;
      case "}":
        open.pop();
        break;
      case '"': {
        const start = at;
        while (json[++at] !== '"') if (json[at] === "\\") at++;
        text = json.slice(start, at + 1);
        break;
      }
      case ":": {
        // Outside of texts a colon follows a key.
        const key = JSON.parse(text) as string;
        const keys = open.at(-1);
        if (keys?.has(key)) return key;
        keys?.add(key);
      }
    }
  return null;
}
