import { AbortedError, InputFormatError } from "../../errors.js";
import { interpretingSync } from "../../input/interpreting.js";
import type { Example } from "../../output-rows/example.js";
import type { FoundResults } from "../../output-rows/find-results.js";
import type { LabelChoice } from "../../output-rows/labels.js";
import {
  openResultsPart,
  type ResultsPart,
} from "../../output-rows/results-part.js";
import type { RunHooks } from "../../run.js";
import { mostSensitive } from "../numbers/classes.js";
import type { ResolvedReportOptions } from "../options.js";
import { Gathered } from "./gathered.js";
import { MeanJacobian } from "./mean-jacobian.js";

/** What is known of an output once all of it has been read. */
export interface GatheredResults {
  /** The first file: the others are like it. */
  first: Pick<ResultsPart, "run" | "sources" | "copiedColumns" | "softjac">;
  /** Inputs by name, each once. */
  inputs: string[];
  bytes: number;
  /** Of the logits: those that the files are about. */
  rows: number;
  gathered: Gathered;
  /** Classes that are shown, ascending, and their pairs. */
  shown: number[];
  jacobian: MeanJacobian;
}

/**
 * Reads all rows of an output, in memory that does not depend on how many there are. Of many classes, where all pairs would
 * be too much to sum, the rows are read twice: for the classes that change most, and for their pairs.
 *
 * @throws SoftjacError where it cannot be read; AbortedError
 */
export async function gatherResults(
  results: FoundResults,
  options: ResolvedReportOptions,
  hooks: RunHooks,
): Promise<GatheredResults> {
  let gathered: Gathered | null = null;
  const known = { inputs: new Set<string>(), bytes: 0, rows: 0 };
  const pass = new Pass(results, options, hooks);
  const first = await pass.read(
    (part, { input }) => {
      gathered ??= new Gathered(part.run);
      if (!gathered.jacobian) pass.passes = 2;
      const { rowStart, rowEnd } = part.run;
      known.rows += rowEnd - rowStart;
      known.bytes += part.bytes;
      known.inputs.add(input ?? part.source ?? "not known");
    },
    (example, part) => gathered?.add(example, part),
  );
  const all = gathered as unknown as Gathered;
  const { classes, temperature } = first.run;
  const shown = mostSensitive(all.classes, Math.min(classes, options.classes));
  let { jacobian } = all;
  if (!jacobian) {
    const some = new MeanJacobian(classes, shown, temperature);
    await pass.read(
      () => {},
      (example) => {
        if (!example.isNull) some.add(example);
      },
    );
    jacobian = some;
  }
  return {
    ...known,
    inputs: [...known.inputs],
    first,
    gathered: all,
    shown,
    jacobian,
  };
}

/** Goes through all files from front to back, once or more. */
class Pass {
  /** How often the rows will pass, as progress counts them. */
  passes = 1;
  #rowsDone = 0;

  constructor(
    private readonly results: FoundResults,
    private readonly label: LabelChoice,
    private readonly hooks: RunHooks,
  ) {}

  async read(
    onPart: (part: ResultsPart, found: FoundResults["parts"][number]) => void,
    onExample: (example: Example, part: number) => void,
  ): Promise<ResultsPart> {
    let first: ResultsPart | null = null;
    for (const [n, found] of this.results.parts.entries()) {
      const part = await openResultsPart(found.path, this.label);
      try {
        if (part.note && !first && this.passes === 1)
          this.hooks.onEvent?.({ event: "warning", message: part.note });
        first ??= part;
        refuseOther(first, part);
        onPart(part, found);
        await this.#readPart(part, (example) => onExample(example, n));
      } finally {
        await part.close();
      }
    }
    return first as unknown as ResultsPart;
  }

  async #readPart(
    { path, run, chunks }: ResultsPart,
    onExample: (example: Example) => void,
  ): Promise<void> {
    const { signal, onProgress } = this.hooks;
    const rows = this.results.manifest?.rows ?? run.rowEnd - run.rowStart;
    const before = this.#rowsDone;
    for await (const { count, at } of chunks()) {
      if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
      interpretingSync(path, "rows", () => {
        for (let n = 0; n < count; n++) {
          const example = at(n);
          onExample(example);
          this.#rowsDone = before + example.row + 1 - run.rowStart;
        }
      });
      onProgress?.(this.#rowsDone, rows * this.passes);
    }
    this.#rowsDone = before + run.rowEnd - run.rowStart;
    onProgress?.(this.#rowsDone, rows * this.passes);
  }
}

/** Parts of one dataset are results of one run. */
function refuseOther(
  { run: first }: ResultsPart,
  { path, run }: ResultsPart,
): void {
  for (const name of ["classes", "layout", "dtype", "temperature"] as const)
    if (first[name] !== run[name])
      throw new InputFormatError(
        path,
        "metadata",
        `expected softjac.${name} ${first[name]} as in the first shard, found ${run[name]}`,
      );
  if (first.emit.join() !== run.emit.join())
    throw new InputFormatError(
      path,
      "metadata",
      `expected softjac.emit ${first.emit.join()} as in the first shard, found ${run.emit.join()}`,
    );
}
