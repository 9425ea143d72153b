/**
 * Returns the first key that appears twice in an object of a valid JSON text; null if there is none. JSON.parse silently
 * keeps the last value of such a key.
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
        // Outside of strings, a colon always follows a key.
        const key = JSON.parse(text) as string;
        const keys = open.at(-1);
        if (keys?.has(key)) return key;
        keys?.add(key);
      }
    }
  return null;
}
