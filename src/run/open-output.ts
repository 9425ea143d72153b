import { PositionalFile } from "../io/sequential.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { ArrowWriter } from "../output/arrow-writer.js";
import { openPending } from "../output/commit.js";
import {
  type OutputTarget,
  openSequential,
  type PendingOutput,
  STANDARD_OUTPUT,
} from "../output/output-target.js";
import type { RunPlan } from "./run-plan.js";

/**
 * Synced outputs of at least this size are written past the page cache (8.9 GB: 14 to 27 s, against 20 to 37 s through it).
 * Smaller ones are faster through the page cache, and stay there for the next reader.
 */
const MIN_DIRECT_BYTES = 2 * 2 ** 30;

/** Opens the output of a run: a temporary file, or standard output. */
export async function openOutput(
  options: ResolvedOptions,
  plan: RunPlan,
): Promise<PendingOutput> {
  const { output } = options;
  if (output !== STANDARD_OUTPUT)
    return openFile(options, plan, (bytes, direct) =>
      openPending(output, bytes, { ...options, direct }),
    );
  const { openStandardOutput } = await import("../output/standard-output.js");
  return openStandardOutput();
}

/** Opens a file output. `open` creates a file of `bytes` (0 if the size is unknown), `direct` for writes past the page cache. */
export function openFile(
  { compress, sync }: ResolvedOptions,
  plan: RunPlan,
  open: (bytes: number, direct: boolean) => Promise<PendingOutput>,
): Promise<PendingOutput> {
  const isKnown = plan.kind === "fixed" && !compress;
  const isDirect = sync && plan.maxBytes >= MIN_DIRECT_BYTES;
  return open(isKnown ? plan.maxBytes : 0, isDirect);
}

/** Opens the writer of a run's messages to `output`. */
export async function openWriter(
  { kind, file: spec, threads }: RunPlan,
  output: OutputTarget,
  { compress }: Pick<ResolvedOptions, "compress">,
): Promise<ArrowWriter> {
  const isPositional = kind === "fixed" && !compress && !output.stream;
  const file = isPositional
    ? new PositionalFile(output)
    : openSequential(output);
  if (!compress) return new ArrowWriter(output, spec, file);
  const { openCompressedWriter } = await import(
    "../output/compressed-writer.js"
  );
  return openCompressedWriter(compress, threads, output, spec, file);
}
