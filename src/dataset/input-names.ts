import { shortList, shortName } from "../printable.js";

/** Returns whether a path contains a hidden name (`_SUCCESS`, `.crc`) or a directory of an unfinished run. */
export function isHidden(names: readonly string[]): boolean {
  return names.some(
    (name) => name !== ".." && /^[._]|\.__(?:wip|tmp|old)-/.test(name),
  );
}

/** Extensions of files that are often next to data: descriptions, logs, checksums, pictures and programs. */
const IGNORED_EXTENSIONS =
  /\.(?:crc|md5|sha\d+|json|ya?ml|toml|ini|txt|md|log|html?|xml|png|jpe?g|svg|pdf|py|ipynb|sh|r|sql)$/i;

/** Returns whether listing a directory ignores a file; paths and patterns can still name it. */
export function isIgnoredName(name: string): boolean {
  return IGNORED_EXTENSIONS.test(name);
}

/** Returns the warning about ignored files, or null if there are none. */
export function ignoredFilesMessage(names: readonly string[]): string | null {
  if (names.length === 0) return null;
  const count = names.length === 1 ? "1 file is" : `${names.length} files are`;
  return `${count} ignored because of the name: ${shortList(names, (name) => shortName(name.slice(name.lastIndexOf("/") + 1)))}; give the path of such a file to read it`;
}

/** Compares names in natural order: numbers by value, so that `batch_2` sorts before `batch_10`, other text by code unit. */
export function compareNames(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let k = 0; k < Math.min(left.length, right.length); k++) {
    const [x, y] = [left[k] as string, right[k] as string];
    const [m, n] = [numberOf(x), numberOf(y)];
    if (m !== null && n !== null && m !== n) return m < n ? -1 : 1;
    if ((m === null || n === null) && x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length || (a < b ? -1 : a > b ? 1 : 0);
}

function partsOf(name: string): string[] {
  return name.match(/\d+|\D+/g) ?? [];
}

function numberOf(part: string): bigint | null {
  return /^\d/.test(part) ? BigInt(part) : null;
}

/** Returns the deepest common directory of two directories. */
export function commonFolder(a: string, b: string, separator: string): string {
  const [left, right] = [a.split(separator), b.split(separator)];
  const differs = left.findIndex((name, k) => name !== right[k]);
  return (differs < 0 ? left : left.slice(0, differs)).join(separator);
}
