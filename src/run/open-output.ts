import type { ResolvedOptions } from "../options/run-options.js";
import { openPending } from "../output/commit.js";
import {
  type PendingOutput,
  STANDARD_OUTPUT,
} from "../output/output-target.js";
import type { Codec } from "../tasks/compress-tasks.js";
import type { Job } from "./plan-job.js";

/**
 * Outputs that may be larger, and that are waited for, go past the page cache: 8.9 GB took 14 s so on one day and 27 s on
 * another, and 37 s and 20 s through it. Smaller ones are quicker through it, and there for who reads them next.
 */
const MIN_DIRECT_BYTES = 2 * 2 ** 30;

/** Bytes that are there and have not been taken yet: two record batches of the usual size. */
const STREAMED_BYTES = 64 << 20;

/**
 * Where a run's bytes go: a file beside its target, or standard output; on the way there they may be compressed. What few
 * runs do is loaded for those.
 */
export async function openOutput(
  options: ResolvedOptions,
  job: Job,
): Promise<PendingOutput> {
  const { output, compress } = options;
  if (output !== STANDARD_OUTPUT)
    return openFile(options, job, (bytes, direct) =>
      openPending(output, bytes, { ...options, direct }),
    );
  const { openStandardOutput } = await import("../output/standard-output.js");
  const { openStreamedOutput } = await import("../output/streamed-output.js");
  const bytes = compress ? 0 : inMemory(job, STREAMED_BYTES);
  const pending = openStreamedOutput(bytes, openStandardOutput());
  return withCompression(job, compress, pending);
}

/** A file, which `open` makes of so many bytes (more may come), for writes past the page cache or not. */
export async function openFile(
  { compress, sync }: ResolvedOptions,
  job: Job,
  open: (bytes: number, direct: boolean) => Promise<PendingOutput>,
): Promise<PendingOutput> {
  const most = job.kind === "entries" ? job.plan.maxBytes : job.layout.bytes;
  const isKnown = job.kind === "planned" && !compress;
  const isDirect = sync && most >= MIN_DIRECT_BYTES;
  const pending = await open(isKnown ? most : 0, isDirect);
  return withCompression(job, compress, pending);
}

/** Returns an output that compresses what it passes to `pending`; without a codec `pending` itself. */
export async function withCompression(
  job: Job,
  codec: Codec | undefined,
  pending: PendingOutput,
): Promise<PendingOutput> {
  if (!codec) return pending;
  const { openCompressedOutput } = await import(
    "../output/compress/compressed-output.js"
  );
  try {
    // One record batch that is being computed: those that are being compressed have memory of their own.
    const ringBytes = inMemory(job, 0);
    const { threads } = job.plan;
    const spec = { codec, file: job.file, ringBytes, threads };
    return await openCompressedOutput(spec, pending);
  } catch (error) {
    await pending.discard();
    throw error;
  }
}

/**
 * Returns the size of the ring buffer of a planned output: `wanted`, or the whole output if it is smaller, but at least the
 * largest record batch. The ordered writer needs none.
 */
function inMemory(job: Job, wanted: number): number {
  if (job.kind === "entries") return 0;
  const { batches, bytes, end } = job.layout;
  const largest = batches.reduce(
    (most, { metadataBytes, bodyBytes }) =>
      Math.max(most, metadataBytes + bodyBytes),
    end,
  );
  const atLeast = Math.max(largest, Math.min(wanted, bytes), 1 << 20);
  return Math.ceil(atLeast / 65536) * 65536;
}
