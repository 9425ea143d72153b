// Messages of softjac about invalid input. "could not be parsed (…)" and "could not be decompressed (…)" with the message of a
// library or of JavaScript do not count.
const SENTENCES = [
  "expected .+ found[ :].+",
  "(file|stream|data|block) is truncated",
  "(data|entry at byte \\d+ of \\d+|metadata of row group \\d+|Zstandard frame) is damaged",
  "the file is empty",
  "not supported",
  "invalid metadata: ",
  "Parquet data: could not be decoded: ",
  "the stream ends before its schema",
  "bytes follow the (end-of-stream marker|compressed frame)",
  "differs from the schema in the footer",
  "is not listed in the footer",
  "has two types of values",
  "comes before the dictionary itself",
  "is replaced; only delta dictionaries may follow a dictionary",
  "is not valid UTF-8",
  "not valid JSON",
  "the number of classes is unknown",
  "nested too deeply",
  "no such (column|array); the file has",
  "several (column|array)s of",
  "(is listed|appears) twice",
  "are named ",
  "zip64",
  "softjac\\.\\w+ is missing|the output has no blocks",
  "no (local header|valid page header) at byte",
  "an array has all classes in one; choose it with --column",
  "an .npy file holds one array without a name",
];

/** Matches a message that explains what is wrong with an input. */
export const CLEAR_MESSAGE = new RegExp(SENTENCES.join("|"), "s");
