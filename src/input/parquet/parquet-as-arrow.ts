import { InputFormatError } from "../../errors.js";
import type { FileMetadata } from "../../tasks/parquet-metadata.js";
import type {
  BatchMetadata,
  Block,
  MessageMetadata,
} from "../arrow-metadata.js";
import { messageAt } from "../arrow-stream.js";
import type { Opening } from "../logits-file.js";
import { type InputFile, requireInput } from "../read-input.js";
import type { ArrowContainer } from "../record-batches.js";
import { selectColumns } from "../select-columns.js";
import { decodeColumns } from "./decode-columns.js";
import { readFooter, WRITE_AGAIN } from "./parquet-footer.js";
import { projectColumns } from "./project-columns.js";

/**
 * Decodes the columns that a run needs to an anonymous file, in which several threads write Arrow messages of
 * single columns. The Parquet file stays open, so that no other file gets its inode.
 *
 * Separate threads decode, because damaged files can crash the decoder or make it run forever; a thread can be terminated.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function parquetAsArrow(
  file: InputFile,
  options: Opening,
): Promise<ArrowContainer> {
  const { path } = file;
  const footer = readFooter(file);
  const { fields } = footer;
  const { indices, nested } = selectColumns(path, fields, options);
  const needed = indices.map((k) => nested[k - fields.length] ?? [k]);
  // The threads read any part of the file.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const target = options.temporary.open(path);
  if (options.isSample) footer.metadata = sampleOf(footer.metadata);
  const projected = projectColumns(footer, needed);
  const files = { fd: file.fd, target: target.fd, tailStart: footer.start };
  const setup = { ...files, ...projected };
  const { messages, bytes } = await decodeColumns(path, setup, options);
  checkRows(path, footer.metadata);
  const decoded = { ...file, fd: target.fd, bytes, present: null };
  const columns = projected.tails.length;
  /** Messages by row group and column; the first group has the schemas. */
  const groups = Array.from({ length: 1 + projected.rowGroups.length }, () =>
    Array.from({ length: columns }, (): Message[] => []),
  );
  for (const { unit, offset } of messages) {
    const group = groups[Math.floor(unit / columns)] as Message[][];
    const message = messageAt(decoded, offset, "decoded columns", false);
    group[unit % columns]?.push(message as Message);
  }
  return { ...decoded, ...joinColumns(groups, bytes) };
}

function checkRows(path: string, { rows, rowGroups }: FileMetadata): void {
  const found = rowGroups.reduce((sum, group) => sum + group.rows, 0);
  if (found === rows) return;
  const text = `expected ${rows} rows as declared in the footer, found ${found}; ${WRITE_AGAIN}`;
  throw new InputFormatError(path, "rows", text);
}

type Message = NonNullable<ReturnType<typeof messageAt>>;

/** Returns record batches of all columns, which the messages of single columns make up. */
function joinColumns(
  [schemas = [], ...groups]: readonly (readonly Message[][])[],
  bodyBytes: number,
): Omit<ArrowContainer, keyof InputFile> {
  const joined = new Map<Block, MessageMetadata>();
  for (const columns of groups)
    for (const [k, { message }] of columns[0]?.entries() ?? []) {
      const parts = columns.flatMap((messages) => messages[k] ?? []);
      const batch = {
        ...(message.batch as BatchMetadata),
        nodes: parts.flatMap(({ message }) => message.batch?.nodes ?? []),
        buffers: parts.flatMap(buffersOf),
      };
      // The body is the whole file: parts of a batch are anywhere in it.
      const block = { offset: 0, metadataBytes: 0, bodyBytes };
      joined.set(block, { ...message, bodyBytes, batch });
    }
  const fields = schemas.flatMap(
    ([part]) => part?.message.schema?.fields ?? [],
  );
  return {
    format: "arrow-file",
    schema: { bigEndian: false, fields, metadata: [] },
    ...{ nested: [], dictionaries: [], recordBatches: [...joined.keys()] },
    message: (block) => joined.get(block) as MessageMetadata,
  };
}

/** Returns the buffers of a message, with their offsets in the file. */
function buffersOf({ message: { batch }, ...block }: Message) {
  const start = block.offset + block.metadataBytes;
  const buffers = batch?.buffers ?? [];
  return buffers.map(({ offset, length }) => ({
    offset: start + offset,
    length,
  }));
}

/** Returns the metadata with only the first row group that has rows. */
function sampleOf(metadata: FileMetadata): FileMetadata {
  const first = metadata.rowGroups.find(({ rows }) => rows > 0);
  const rowGroups = first ? [first] : [];
  return { ...metadata, rows: first?.rows ?? 0, rowGroups };
}
