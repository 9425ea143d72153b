import { readFileSync } from "node:fs";
import { RecordBatchReader, RecordBatchStreamWriter } from "apache-arrow";

/** Converts a file to a stream with apache-arrow. */
export function streamOf(path: string): Buffer {
  const writer = new RecordBatchStreamWriter();
  for (const batch of RecordBatchReader.from(readFileSync(path)))
    writer.write(batch);
  writer.finish();
  return Buffer.from(writer.toUint8Array(true));
}
