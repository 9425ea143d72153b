import type { LogitsFile } from "./input/logits-file.js";
import type { ResolvedOptions } from "./options.js";
import { VERSION } from "./version.js";

/** What a reader needs beside the columns; the source by its name alone, so that moving a file changes no byte. */
export function metadataOf(
  options: ResolvedOptions,
  logits: LogitsFile,
  dtype: string,
): [key: string, value: string][] {
  return Object.entries({
    version: VERSION,
    layout: options.layout,
    emit: options.emit.join(","),
    rows: String(logits.rows),
    ...(options.part && {
      row_start: String(options.part.rowStart),
      row_end: String(options.part.rowEnd),
    }),
    classes: String(logits.classes),
    dtype,
    temperature: String(options.temperature),
    threshold: String(options.threshold),
    ...(options.topK !== undefined && { top_k: String(options.topK) }),
    source: options.source,
    ...(options.class !== undefined && { class: String(options.class) }),
  }).map(([key, value]) => [`softjac.${key}`, value]);
}
