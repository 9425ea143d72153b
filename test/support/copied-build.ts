import fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { VERSION } from "../../src/version.js";

/** Copies the build into a directory where it finds the packages; returns the path of `dist` there. */
export function copiedBuild(folder: string, version = VERSION): string {
  const own = (name: string) =>
    fileURLToPath(new URL(`../../${name}`, import.meta.url));
  const dist = join(folder, "dist");
  fs.cpSync(own("dist"), dist, { recursive: true });
  fs.copyFileSync(own("package.json"), join(folder, "package.json"));
  fs.symlinkSync(own("node_modules"), join(folder, "node_modules"));
  for (const name of version === VERSION ? [] : fs.readdirSync(dist)) {
    if (!name.endsWith(".js")) continue;
    const text = fs.readFileSync(join(dist, name), "utf8");
    const renamed = text.replaceAll(`"${VERSION}"`, `"${version}"`);
    fs.writeFileSync(join(dist, name), renamed);
  }
  return dist;
}
