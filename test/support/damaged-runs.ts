import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { built } from "./built.js";
import { Counter } from "./counter.js";
import { inputErrorCode, inputRuns } from "./input-runs.js";
import { random } from "./random.js";

/** Yields copies in which one random bit of the byte ranges is flipped; the same copies for the same seed. */
export function* flippedBits(
  bytes: Buffer,
  count: number,
  seed: number,
  ranges: [start: number, end: number][] = [[0, bytes.length]],
): Generator<Buffer> {
  const uniform = random(seed);
  const draw = (below: number) => Math.floor(uniform() * below);
  for (let n = 0; n < count; n++) {
    const [start, end] = ranges[draw(ranges.length)] as [number, number];
    const place = start + draw(end - start);
    const copy = Buffer.from(bytes);
    copy[place] = (copy[place] as number) ^ (1 << draw(8));
    yield copy;
  }
}

/** Runs on damaged copies of files, with columns to keep. */
export function damagedRuns(keep: string[]) {
  const runs = inputRuns();
  const { at, input, output } = runs;

  /** Returns the softmax and the kept columns of a run, as text. */
  async function resultsOf(path: string): Promise<string> {
    const options = { emit: ["softmax" as const], dtype: "float64" as const };
    await built.run({ input: path, output, keep, force: true, ...options });
    const table = tableFromIPC(readFileSync(output), { useBigInt: true });
    const columns = ["softmax", ...keep].map((name) => [
      ...table.getChild(name),
    ]);
    return textOf(columns);
  }

  /**
   * Runs on damaged copies, and returns the sorted outcomes with their counts, such as `ERR_INPUT_FORMAT 3, same 1`. An
   * outcome is the code of the error, "same", or what `other` returns.
   */
  async function outcomesOf(
    sound: string,
    copies: Iterable<Buffer>,
    other: (results: string, copy: Buffer) => string = () => "other",
  ): Promise<string> {
    const counter = new Counter();
    for (const copy of copies) {
      writeFileSync(input, copy);
      const found = await resultsOf(input).catch((error) => ({ error }));
      if (typeof found !== "string") counter.add(inputErrorCode(found.error));
      else counter.add(found === sound ? "same" : other(found, copy));
    }
    const counts = Object.entries(counter.counts).sort();
    return counts.map((outcome) => outcome.join(" ")).join(", ");
  }

  /** Returns the code and message for a damaged file, which leaves no file. */
  const refusal = (bytes: Uint8Array) => runs.refusal(bytes, { keep });

  return { at, resultsOf, outcomesOf, refusal };
}

/** Returns columns as JSON, with lists as arrays and int64 as strings. */
export function textOf(columns: unknown[][]): string {
  return JSON.stringify(columns, (_, value) =>
    typeof value === "bigint"
      ? String(value)
      : ArrayBuffer.isView(value)
        ? [...(value as Float64Array)]
        : value,
  );
}
