import type { ResolvedOptions } from "../options/run-options.js";
import { openPending } from "../output/commit.js";
import {
  type PendingOutput,
  STANDARD_OUTPUT,
} from "../output/output-target.js";
import type { Codec } from "../tasks/compress-tasks.js";
import type { RunPlan } from "./run-plan.js";

/**
 * Synced outputs of at least this size are written past the page cache (8.9 GB: 14 to 27 s, against 20 to 37 s through it).
 * Smaller ones are faster through the page cache, and stay there for the next reader.
 */
const MIN_DIRECT_BYTES = 2 * 2 ** 30;

/** Ring buffer of standard output: two record batches of the usual size. */
const STREAMED_BYTES = 64 << 20;

/** Opens the output of a run: a temporary file, or standard output; with compression in between if it is asked for. */
export async function openOutput(
  options: ResolvedOptions,
  plan: RunPlan,
): Promise<PendingOutput> {
  const { output, compress } = options;
  if (output !== STANDARD_OUTPUT)
    return openFile(options, plan, (bytes, direct) =>
      openPending(output, bytes, { ...options, direct }),
    );
  const { openStandardOutput } = await import("../output/standard-output.js");
  const { openStreamedOutput } = await import("../output/streamed-output.js");
  const bytes = compress ? 0 : ringBytesOf(plan, STREAMED_BYTES);
  const pending = openStreamedOutput(bytes, openStandardOutput());
  return withCompression(plan, compress, pending);
}

/** Opens a file output. `open` creates a file of `bytes` (0 if the size is unknown), `direct` for writes past the page cache. */
export async function openFile(
  { compress, sync }: ResolvedOptions,
  plan: RunPlan,
  open: (bytes: number, direct: boolean) => Promise<PendingOutput>,
): Promise<PendingOutput> {
  const isKnown = plan.kind === "fixed" && !compress;
  const isDirect = sync && plan.maxBytes >= MIN_DIRECT_BYTES;
  const pending = await open(isKnown ? plan.maxBytes : 0, isDirect);
  return withCompression(plan, compress, pending);
}

/** Returns an output that writes compressed record batches to `pending`, or without a codec `pending` itself. */
export async function withCompression(
  plan: RunPlan,
  codec: Codec | undefined,
  pending: PendingOutput,
): Promise<PendingOutput> {
  if (!codec) return pending;
  const { openCompressedOutput } = await import(
    "../output/compress/compressed-output.js"
  );
  try {
    // For one record batch being computed: batches being compressed have memory of their own.
    const ringBytes = ringBytesOf(plan, 0);
    const { file, threads } = plan;
    const spec = { codec, file, ringBytes, threads };
    return await openCompressedOutput(spec, pending);
  } catch (error) {
    await pending.discard();
    throw error;
  }
}

/**
 * Returns the size of the ring buffer of a planned output: `wanted`, or the whole output if it is smaller, but at least the
 * largest record batch. The writer of csr and coo needs none.
 */
function ringBytesOf(plan: RunPlan, wanted: number): number {
  if (plan.kind === "entries") return 0;
  const { batches, bytes, end } = plan.layout;
  const largest = batches.reduce(
    (max, { metadataBytes, bodyBytes }) =>
      Math.max(max, metadataBytes + bodyBytes),
    end,
  );
  const ringBytes = Math.max(largest, Math.min(wanted, bytes), 1 << 20);
  return Math.ceil(ringBytes / 65536) * 65536;
}
