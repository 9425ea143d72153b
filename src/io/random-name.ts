/**
 * `digits` hexadecimal digits for a name that nobody else is to have. No secret: where it matters, a file is made only if
 * none is there. node:crypto would add 7 ms to the start of every command.
 */
export function randomHex(digits: number): string {
  let hex = "";
  while (hex.length < digits)
    hex += Math.floor(Math.random() * 2 ** 24)
      .toString(16)
      .padStart(6, "0");
  return hex.slice(0, digits);
}
