import { readFileSync, writeFileSync } from "node:fs";

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->` in the README, so that its figures are those measured. */
export function intoReadme(name, text) {
  const path = new URL("../README.md", import.meta.url);
  const readme = readFileSync(path, "utf8");
  const marked = new RegExp(`(<!-- ${name} -->\\n)[^]*?(\\n<!-- /${name} -->)`);
  if (!marked.test(readme)) throw new Error(`README has no place for ${name}`);
  writeFileSync(
    path,
    readme.replace(marked, (_, open, close) => `${open}${text}${close}`),
  );
}
