import { readFileSync, writeFileSync } from "node:fs";

/** Replaces the text between `<!-- name -->` and `<!-- /name -->` in a file of the repository with measured figures. */
export function writeSection(file, name, text) {
  const path = new URL(`../${file}`, import.meta.url);
  const page = readFileSync(path, "utf8");
  const section = new RegExp(
    `(<!-- ${name} -->\\n)[^]*?(\\n<!-- /${name} -->)`,
  );
  if (!section.test(page)) throw new Error(`${file} has no section ${name}`);
  writeFileSync(
    path,
    page.replace(section, (_, open, close) => `${open}${text}${close}`),
  );
}
