import { existsSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const SOURCES = ["src", "workers", "build.mjs"];

/**
 * Returns the path of a built file.
 * @throws Error if it is missing or older than the sources
 */
export function distFile(name: string): string {
  const path = `${root}dist/${name}`;
  const problem = !existsSync(path)
    ? "is missing"
    : statSync(path).mtimeMs < newestSource()
      ? "is older than the sources"
      : null;
  if (problem) throw new Error(`dist/${name} ${problem}: run "npm run build"`);
  return path;
}

function newestSource(): number {
  const files = SOURCES.flatMap((name) =>
    statSync(root + name).isDirectory()
      ? readdirSync(root + name, { recursive: true, encoding: "utf8" }).map(
          (file) => `${name}/${file}`,
        )
      : [name],
  );
  return Math.max(...files.map((file) => statSync(root + file).mtimeMs));
}
