import { dirname } from "node:path";
import { classesOfCodes } from "../input/class-decoder.js";
import type { LogitsFile, OpenOptions } from "../input/logits-file.js";
import { isRemote } from "../io/location.js";
import { withFileNames } from "../model/run-model.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { ARROW, checkOutput } from "../output/written-files.js";
import { DROPPED } from "../results/catalogue.js";
import { encodeRunMetadata } from "../results/run-metadata.js";
import { VERSION } from "../version.js";

/** Returns the metadata of the output. It does not depend on threads, chunks or kernel, so that neither do the bytes. */
export function metadataOf(
  options: ResolvedOptions,
  logits: LogitsFile,
  dtype: "float32" | "float64",
): [key: string, value: string][] {
  // As for the input, moving the files of a model does not change the output.
  const { part, ...others } = withFileNames(options);
  const { rows, leading, classes, classNames, selection, partitions } = logits;
  const keep = logits.copied.map(({ field }) => field.name);
  return encodeRunMetadata({
    ...others,
    ...part,
    keep: keep.length > 0 ? keep : undefined,
    partitions: partitions.length > 0 ? partitions : undefined,
    version: VERSION,
    rows,
    rowShape: leading.length > 1 ? leading : undefined,
    classes,
    classNames: options.classNames ?? classNames ?? undefined,
    classCodes:
      (options.classCodes ?? true) && classesOfCodes(options.classNames)
        ? true
        : undefined,
    dtype,
    tensorType: true,
    ...selection,
  });
}

/** Rejects an output that the run could not write; `-` means standard output. @throws OutputExistsError, UsageError */
export function checkRunOutput(options: ResolvedOptions): void {
  const { input, output: path, force } = options;
  const inputs = [input];
  checkOutput({ path, force, format: ARROW, inputs, streams: true });
}

/** Returns the options for opening the input. */
export function openOptions(
  options: ResolvedOptions,
  signal?: AbortSignal,
): OpenOptions {
  const parts =
    options.layout === "factored"
      ? ["softmax", "argmax", "tail"]
      : options.layout === "csr"
        ? ["indices", "values", ...DROPPED]
        : [];
  return {
    ...options,
    ownNames: ["row", ...options.emit, ...parts],
    scratch:
      options.output === "-" || isRemote(options.output)
        ? undefined
        : dirname(options.output),
    signal,
  };
}
