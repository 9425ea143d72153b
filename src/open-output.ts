import type { Codec } from "./compressed/protocol.js";
import type { Job } from "./job.js";
import type { ResolvedOptions } from "./options.js";
import { openPending } from "./output/commit.js";
import { type PendingOutput, STANDARD_OUTPUT } from "./output/output-target.js";

/**
 * Outputs that may be larger, and that are waited for, go past the page cache: 8.9 GB took 14 s so on one day and 27 s on
 * another, and 37 s and 20 s through it. Smaller ones are quicker through it, and there for who reads them next.
 */
const LEAST_DIRECT_BYTES = 2 * 2 ** 30;

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
  const { openStandardOutput } = await import("./output/standard-output.js");
  const { openStreamedOutput } = await import("./output/streamed-output.js");
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
  const most = job.kind === "entries" ? job.plan.mostBytes : job.layout.bytes;
  const isKnown = job.kind === "planned" && !compress;
  const pending = await open(isKnown ? most : 0, isDirect(job, most, sync));
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
    "./compressed/compressed-output.js"
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

/** Whether an output goes past the page cache: what workers write piece by piece (../counted) is not, nor what nobody waits for. */
function isDirect(job: Job, mostBytes: number, sync: boolean): boolean {
  const inPieces = job.kind === "entries" && job.table !== null;
  return sync && !inPieces && mostBytes >= LEAST_DIRECT_BYTES;
}

/** Bytes of a planned output that are in memory at once on their way out, `wanted` where it has as many; the ordered writer needs none. */
function inMemory(job: Job, wanted: number): number {
  if (job.kind === "entries") return 0;
  const { batches, bytes, end } = job.layout;
  const largest = batches.reduce(
    (most, { metadataBytes, bodyBytes }) =>
      Math.max(most, metadataBytes + bodyBytes),
    end,
  );
  return ringBytes(largest, Math.min(wanted, bytes));
}

/** Returns the size of the ring buffer of a streamed output, which holds at least the largest record batch. */
function ringBytes(largestBatch: number, wanted: number): number {
  return Math.ceil(Math.max(largestBatch, wanted, 1 << 20) / 65536) * 65536;
}
