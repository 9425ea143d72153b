import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { built } from "./built.js";

const keep = ["id", "name", "flag", "split"];

export const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/${name}.arrow`, import.meta.url));

/** Runs `input`, and returns the values of the output as read by flechette. */
export async function resultOf(input: string, output: string): Promise<string> {
  await built.run({ input, output, keep, force: true });
  const table = tableFromIPC(readFileSync(output));
  const column = (name: string) => [...table.getChild(name)];
  const lists = (name: string) => column(name).map((list) => [...list]);
  return JSON.stringify([
    ...[lists("softmax"), lists("jacobian")],
    ...keep.map(column),
  ]);
}
