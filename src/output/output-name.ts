import { basename, extname } from "node:path";
import { UsageError } from "../errors.js";

/** A format that outputs have, and the extensions of its names. */
export interface NamedFormat {
  /** In messages. */
  writes: string;
  /** The first is the usual one. */
  extensions: readonly string[];
}

export const ARROW: NamedFormat = {
  writes: "softjac writes Arrow files",
  extensions: ["arrow", "arrows", "feather", "ipc"],
};

export const HTML: NamedFormat = {
  writes: "softjac report writes HTML pages",
  extensions: ["html", "htm"],
};

/** Extensions that name another format to people and tools; an extension in no list may be part of any name. */
const OF_OTHERS = new Set(
  `avro bmp bz2 ckpt csv db duckdb gif gz gzip h5 hdf hdf5 jpeg jpg joblib json jsonl lz4 lzma mat md msgpack nc ndjson
  npy npz ods onnx orc parq parquet pb pdf pickle pkl png pq pt pth rar rda rdata rds safetensors sav snappy sql sqlite
  svg tar tfrecord tfrecords tgz tsv txt webp xls xlsx xml xz yaml yml zarr zip zst zstd 7z`.split(
    /\s+/,
  ),
);

/**
 * Rejects a name whose extension promises another format than the file has.
 * @throws UsageError
 */
export function checkName(
  path: string,
  { writes, extensions }: NamedFormat,
): void {
  const extension = extname(basename(path)).slice(1).toLowerCase();
  if (extensions.includes(extension)) return;
  const isOther = [ARROW, HTML].some((format) =>
    format.extensions.includes(extension),
  );
  if (isOther || OF_OTHERS.has(extension))
    throw new UsageError(
      `${path}: ${writes}; use a name that ends in .${extensions[0]}`,
      "output",
    );
}
