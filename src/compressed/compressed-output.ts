import {
  SequentialComparison,
  SequentialFile,
  SequentialStream,
} from "../io/sequential.js";
import { STREAM_START } from "../output/jacobian-file.js";
import type { PendingOutput } from "../output/output-target.js";
import type { ByteStream } from "../output/standard-output.js";
import { openStreamedOutput } from "../output/streamed-output.js";
import {
  CompressedStream,
  type CompressedStreamSpec,
} from "./compressed-stream.js";
import { openCompressors } from "./compressors.js";

export interface CompressedOutputSpec
  extends Pick<CompressedStreamSpec, "codec"> {
  /** What the footer of a file tells. */
  file: NonNullable<CompressedStreamSpec["footer"]>;
  /** Bytes of the plain output that are in memory at once (output/streamed-output.ts). */
  ringBytes: number;
  /** That compress; 0: this one. */
  threads: number;
}

/** Where the compressed bytes go, and what is to be done with that at the end. */
type Way = Pick<CompressedStreamSpec, "target" | "footer" | "wrote"> & {
  end(): Promise<void>;
  destroy(): void;
  /** Once nothing is being written any more. */
  discard(): Promise<void>;
};

/** An output that takes the plain stream of a writer, compresses it, and is `pending` in everything else. */
export function openCompressedFile(
  spec: CompressedOutputSpec,
  pending: PendingOutput,
): Promise<PendingOutput> {
  return openCompressed(spec, {
    target: new SequentialFile(pending.fd, pending.direct),
    footer: spec.file,
    wrote: pending.wrote,
    end: () => pending.commit(),
    destroy: () => {},
    discard: () => pending.discard(),
  });
}

/** Compares the file with what a run would write to it. */
export function openCompressedComparison(
  spec: CompressedOutputSpec,
  fd: number,
): Promise<PendingOutput> {
  return openCompressed(spec, {
    target: new SequentialComparison(fd),
    footer: spec.file,
    wrote: () => {},
    end: async () => {},
    destroy: () => {},
    discard: async () => {},
  });
}

export function openCompressedStream(
  spec: CompressedOutputSpec,
  stream: ByteStream,
): Promise<PendingOutput> {
  return openCompressed(spec, {
    target: new SequentialStream(stream, STREAM_START),
    footer: null,
    wrote: () => {},
    end: () => stream.end(),
    destroy: () => stream.destroy(),
    discard: async () => {},
  });
}

async function openCompressed(
  { codec, ringBytes, threads }: CompressedOutputSpec,
  { end, destroy, discard, ...way }: Way,
): Promise<PendingOutput> {
  const compressors = await openCompressors(threads, codec);
  const atOnce = Math.max(1, threads);
  const stream = new CompressedStream({ codec, compressors, atOnce, ...way });
  const plain = openStreamedOutput(ringBytes, {
    write: (bytes) => stream.write(bytes),
    end,
    destroy,
  });
  return {
    ...plain,
    bytes: () => stream.position,
    async discard() {
      await plain.discard();
      await compressors.close();
      await stream.settled();
      await discard();
    },
    async commit() {
      await plain.commit();
      await compressors.close();
    },
  };
}
