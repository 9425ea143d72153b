import { readFileSync } from "node:fs";

/** Files that stand beside this one once it is built. */
function asset(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8").trim();
}

/** What the page looks like (browser/page.css). */
export function pageStyle(): string {
  return asset("report-page.css");
}

/** What runs in it (browser/viewer.ts). */
export function pageScript(): string {
  return asset("report-page.js");
}
