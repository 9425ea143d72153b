import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { Html } from "./html.js";

const { document } = parseHTML("<!doctype html><html><body></body></html>");
const FONT = 13;

/**
 * A picture as markup. Its colours are the page's (`var(--bar)`), so that it goes with light and dark.
 * @param label what it is, for who cannot see it
 */
export function picture(label: string, options: Plot.PlotOptions): Html {
  const { style, ...others } = options;
  const drawn = Plot.plot({
    width: 560,
    height: 300,
    marginLeft: 64,
    marginBottom: 44,
    marginTop: 28,
    ...others,
    document,
    className: "plot",
    style: { fontSize: `${FONT}px`, background: "none", ...(style as object) },
  });
  // The page has the rules of its own.
  drawn.querySelector("style")?.remove();
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", label);
  for (const part of drawn.querySelectorAll("[aria-label]"))
    part.removeAttribute("aria-label");
  return new Html(rounded(drawn.outerHTML));
}

/** A hundredth of a pixel is nothing to see, and takes a third of the bytes; what is to be read stays as it is. */
function rounded(markup: string): string {
  return markup.replace(/="[^"]*"/g, (attribute) =>
    attribute.replace(/-?\d+\.\d{3,}/g, (number) =>
      String(Number(Number(number).toFixed(2))),
    ),
  );
}

export { Plot };
