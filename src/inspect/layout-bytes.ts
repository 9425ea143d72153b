import type { LogitsFile } from "../input/logits-file.js";
import { sizeJob } from "../job.js";
import { type RunOptions, resolveOptions } from "../options.js";
import type { EntriesLayout, Layout } from "../results/catalogue.js";

/** What the weight of an output depends on beside its input. */
export type WeighedOptions = Pick<
  RunOptions,
  "threshold" | "topK" | "dtype" | "threads" | "temperature"
>;

/** What an output would weigh, and the threads that would make it. */
export interface Weight {
  bytes: number;
  threads: number;
}

/** An output of whole blocks, or of what they are made of. @throws SoftjacError where it cannot be */
export function weighBlocks(
  logits: LogitsFile,
  layout: Exclude<Layout, EntriesLayout>,
  { threshold: _, topK: __, ...others }: WeighedOptions,
): Weight {
  const job = sizesLike(logits, layout, { ...others, forceDense: true });
  const bytes = job.kind === "planned" ? job.sizes.bytes : 0;
  return { bytes, threads: job.plan.threads };
}

/** An output of entries, of which a row has so many on average. @throws the same */
export function weighEntries(
  logits: LogitsFile,
  layout: EntriesLayout,
  options: WeighedOptions,
  perRow: number,
): Weight {
  const most = (topK: number) => {
    const job = sizesLike(logits, layout, { ...options, topK });
    return job.kind === "entries" ? job.plan.mostBytes : 0;
  };
  // What k entries in every row weigh grows by as much with each k.
  const each = logits.classes > 1 ? most(2) - most(1) : most(1);
  // In coo everything stands with the entries.
  const beside = layout === "csr" ? most(1) - each : 0;
  return {
    bytes: Math.ceil(beside + perRow * each),
    threads: sizesLike(logits, layout, options).plan.threads,
  };
}

/** Returns the sizes of a run with a layout's default results; nothing is read or written. */
function sizesLike(
  logits: LogitsFile,
  layout: Layout,
  options: Partial<RunOptions>,
): ReturnType<typeof sizeJob> {
  const paths = { input: logits.path, output: "estimate.arrow" };
  return sizeJob(resolveOptions({ ...options, ...paths, layout }), logits);
}
