import { readFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect } from "vitest";
import type { RunOptions } from "../../src/index.js";
import { built } from "./built.js";

/** Runs, compares every row of the output with the reference, and returns the table as read by flechette. */
export async function verifiedRun(
  options: RunOptions,
): Promise<ReturnType<typeof tableFromIPC>> {
  const { input, output } = options;
  await built.run({ force: true, ...options });
  const report = await built.verify({ input, output, all: true });
  expect(report).toMatchObject({ ok: true, problems: [] });
  return tableFromIPC(readFileSync(output));
}
