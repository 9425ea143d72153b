import { readdirSync, readFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { RecordBatchReader } from "apache-arrow";
import type { RunHooks } from "../../src/options/hooks.js";
import type { RunOptions } from "../../src/options/run-options.js";
import { built } from "./built.js";
import {
  type LogitsInput,
  workDirectory,
  writeLogits,
} from "./logits-input.js";

/** Makes a directory, and returns functions that write its `in.arrow`, and run it to `out.arrow`. */
export function runsIn() {
  const at = workDirectory();
  const [input, output] = [at("in.arrow"), at("out.arrow")];
  return {
    at,
    input,
    output,
    write(logits: LogitsInput, path = input): string {
      writeLogits(path, logits);
      return path;
    },
    /** Runs, and returns the report and the output as read by flechette. */
    async run(options: Partial<RunOptions> = {}, hooks?: RunHooks) {
      const all = { input, output, force: true, ...options };
      const report = await built.run(all, hooks);
      return Object.assign(outputOf(all.output), { report });
    },
    /** Returns the names of files whose names match, temporary ones included. */
    files: (pattern: RegExp) =>
      readdirSync(at("")).filter((name) => pattern.test(name)),
  };
}

/** Returns a value of a column as numbers, texts, plain arrays and objects. */
export function plain(value: unknown): unknown {
  if (value === null || typeof value !== "object") return value;
  if (ArrayBuffer.isView(value)) return [...(value as Float64Array)];
  if (Symbol.iterator in value)
    return Array.from(value as Iterable<unknown>, plain);
  const fields =
    "toJSON" in value ? (value.toJSON as () => object).call(value) : value;
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, plain(field)]),
  );
}

/** Reads an output, as far as it is asked for; `column` has plain numbers, lists and nulls. */
export function outputOf(path: string) {
  const bytes = readFileSync(path);
  let table: ReturnType<typeof tableFromIPC> | null = null;
  const read = () => {
    table ??= tableFromIPC(bytes, { useBigInt: false });
    return table;
  };
  return {
    bytes,
    get table() {
      return read();
    },
    get names(): string[] {
      return read().names;
    },
    get metadata(): Record<string, string> {
      const { metadata } = RecordBatchReader.from(bytes).open().schema;
      return Object.fromEntries(metadata);
    },
    // biome-ignore lint/suspicious/noExplicitAny: Values of any type of column.
    column: (name: string): any[] => Array.from(read().getChild(name), plain),
  };
}

/** Returns 0, …, n - 1. */
export const upTo = (n: number) => Array.from({ length: n }, (_, k) => k);

/** Verifies every row and byte of an output. */
export async function verifyAll(output: string, input: string) {
  return built.verify({ output, input, all: true });
}

/** Report of `verifyAll` for an output without problems. */
export const VERIFIED = {
  ok: true,
  problems: [],
  bytes: { compared: true, message: null },
};
