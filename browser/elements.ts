type Child = Node | string;

/** An element with attributes and children; texts are texts, whatever is in them. */
export function element(
  name: string,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Three digits: "0.0123", "3.1e−8". */
export function digits(value: number, most = 3): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text =
    size >= 1e-3 && size < 1e6
      ? value.toLocaleString("en-US", { maximumSignificantDigits: most })
      : value.toExponential(most - 1).replace(/\.?0+e/, "e");
  return text.replaceAll("-", "−");
}
