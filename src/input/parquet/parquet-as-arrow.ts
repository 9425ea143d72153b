import { AnonymousFile } from "../../io/anonymous-file.js";
import { writeFully } from "../../io/positional.js";
import { outputCall } from "../../io/system-error.js";
import type { FileMetadata } from "../../tasks/parquet-metadata.js";
import { arrowContainer } from "../arrow-container.js";
import type { Block } from "../arrow-metadata.js";
import type { OpenOptions } from "../logits-file.js";
import { type InputFile, requireInput } from "../read-input.js";
import type { ArrowContainer } from "../record-batches.js";
import { selectColumns } from "../select-columns.js";
import { COPY_FAILED, decodeRowGroups } from "./decode-row-groups.js";
import { readFooter } from "./parquet-footer.js";
import { projectFooter } from "./project-footer.js";

/**
 * Decodes the columns that a run needs to an Arrow stream in an anonymous file (in `scratch`), of which several threads append
 * the record batches of whole row groups. The Parquet file stays open, so that no other file gets its inode.
 *
 * Separate threads decode, because damaged files can crash the decoder or make it run forever; a thread can be terminated.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function parquetAsArrow(
  file: InputFile,
  options: OpenOptions,
): Promise<ArrowContainer> {
  const { path } = file;
  const footer = readFooter(file);
  const { fields } = footer;
  const { indices, nested } = selectColumns(path, fields, options);
  const needed = indices.map((k) => nested[k - fields.length] ?? [k]);
  // The threads read any part of the file.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const open = () => new AnonymousFile(options.scratch);
  const target = outputCall(path, COPY_FAILED, open);
  try {
    if (options.isSample) footer.metadata = sampleOf(footer.metadata);
    const projected = projectFooter(footer, needed);
    const files = { fd: file.fd, target: target.fd, tailStart: footer.start };
    const setup = { ...files, ...projected };
    const { threads = 1, signal } = options;
    const decoding = decodeRowGroups(path, setup, threads, signal);
    const { batches, end } = await decoding;
    outputCall(path, COPY_FAILED, () =>
      writeFully(target.fd, END_OF_STREAM, end),
    );
    const decoded = {
      ...file,
      fd: target.fd,
      bytes: end + END_OF_STREAM.length,
      present: null,
      close: () => {
        target.close();
        file.close();
      },
    };
    const container = arrowContainer(decoded, "parquet");
    const order = new Map(batches.map(({ offset }, k) => [offset, k]));
    const orderOf = ({ offset }: Block) => order.get(offset) as number;
    const recordBatches = container.recordBatches.toSorted(
      (a, b) => orderOf(a) - orderOf(b),
    );
    return { ...container, recordBatches };
  } catch (error) {
    target.close();
    throw error;
  }
}

const END_OF_STREAM = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** Returns the metadata with only the first row group that has rows. */
function sampleOf(metadata: FileMetadata): FileMetadata {
  const first = metadata.rowGroups.find(({ rows }) => rows > 0);
  const rowGroups = first ? [first] : [];
  return { ...metadata, rows: first?.rows ?? 0, rowGroups };
}
