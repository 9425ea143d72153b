import type {
  OutputReport,
  ReportOptions,
  RunOptions,
} from "../../src/index.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { normal, random } from "../support/random.js";

/** Writes `logits`, `label` and columns of text with flechette; returns the path. */
export function writeLabelled(
  path: string,
  logits: readonly (readonly number[])[],
  labels: readonly (number | null)[],
  texts: Record<string, readonly string[]> = {},
): string {
  const list = `fixed_size_list<float64>[${logits[0]?.length ?? 1}]`;
  writeArrow(path, {
    logits: [[...logits], list],
    label: [[...labels], "int32"],
    ...Object.fromEntries(
      Object.entries(texts).map(([name, values]) => [
        name,
        [[...values], "utf8"],
      ]),
    ),
  });
  return path;
}

/** Returns normal logits. */
export function drawnLogits(rows: number, classes: number): number[][] {
  const draw = normal(random(rows * classes + 1));
  const row = () => Array.from({ length: classes }, () => 3 * draw());
  return Array.from({ length: rows }, row);
}

/** Returns a function that runs and reports on the output, at `results.arrow` and `page.html`. */
export function reporter(at: (name: string) => string) {
  return async (
    run: Omit<RunOptions, "output">,
    options: Partial<ReportOptions> = {},
  ): Promise<OutputReport> => {
    const [results, output] = [at("results.arrow"), at("page.html")];
    await built.run({ ...run, output: results, force: true, threads: 1 });
    return built.report({ results, output, force: true, ...options });
  };
}
