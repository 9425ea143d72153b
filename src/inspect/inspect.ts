import {
  checkHooks,
  checkNames,
  checkPath,
  checkValue,
} from "../check-options.js";
import {
  InputUnsupportedError,
  LogitsColumnError,
  RaggedRowError,
} from "../errors.js";
import {
  type DescribedColumn,
  describeInput,
  type InputDescription,
} from "../input/describe-input.js";
import type { InputFile } from "../input/input-file.js";
import { InputRows } from "../input/input-rows.js";
import { checkUnchanged } from "../input/input-state.js";
import { interpreting, interpretingWith } from "../input/interpreting.js";
import type { LogitsFile } from "../input/logits-file.js";
import { logitsIn, openInput } from "../input/open-logits.js";
import { layoutSizes, type OutputSize } from "../layout-sizes.js";
import { resolveOptions } from "../options.js";
import type { Layout } from "../results/catalogue.js";
import type { RunHooks } from "../run.js";
import { INSPECT_OPTIONS, type InspectOptions } from "./options.js";
import { scanValues, type ValueScan } from "./scan-values.js";

/** Description of a file, the logits that a run would use, and sizes of its outputs. */
export interface Inspection extends InputDescription {
  input: string;
  bytes: number;
  /** Column of logits that a run would use, or null with the reason why there is none; also see the columns' reasons. */
  logits: LogitsDescription | null;
  noLogitsReason: string | null;
  /** Size of the output of a run in each layout that is possible, except dense; empty without logits. */
  layouts: OutputSize<Layout>[];
  /** Range of the logits and bad rows; null without `scan`. */
  values: ValueScan | null;
}

/** Column of logits. */
export interface LogitsDescription
  extends Pick<LogitsFile, "column" | "dtype" | "classes"> {
  /** Storage of the logits in the file: a list type, a struct or separate columns. */
  storage: LogitsFile["form"];
}

/**
 * Describes a file, and the size of the output in each layout. Reads the structure of the file, and every row with `scan`;
 * writes nothing.
 *
 * @throws SoftjacError if the file cannot be read; a file without logits does not throw (see `noLogitsReason`)
 */
export async function inspect(
  options: InspectOptions,
  hooks: RunHooks = {},
): Promise<Inspection> {
  checkHooks(hooks);
  checkNames(options, ["input", ...INSPECT_OPTIONS.map(({ name }) => name)]);
  checkPath("input", options.input);
  for (const spec of INSPECT_OPTIONS) checkValue(spec, options[spec.name]);
  const file = await openInput(options.input, hooks);
  const inspection = await inspectFile(file, options, hooks);
  await checkUnchanged(file.source);
  return inspection;
}

async function inspectFile(
  file: InputFile,
  options: InspectOptions,
  hooks: RunHooks,
): Promise<Inspection> {
  const { input } = options;
  let close = () => file.close();
  try {
    const description = await describeInput(file, { ...options, ...hooks });
    const base = { input, bytes: file.bytes, ...description };
    // From here on it is closed with the logits, or with their failure.
    close = () => {};
    const found = await examine(file, description, options, hooks).catch(
      (error) => noLogits(input, description.columns, error),
    );
    return { ...base, ...found };
  } finally {
    close();
  }
}

type Examined = Pick<
  Inspection,
  "columns" | "logits" | "noLogitsReason" | "layouts" | "values"
>;

/** Looks at the logits that a run would use. @throws SoftjacError for a file without them, or a damaged one */
async function examine(
  file: InputFile,
  { format, rows }: InputDescription,
  options: InspectOptions,
  hooks: RunHooks,
): Promise<Omit<Examined, "columns">> {
  const { input, scan = false } = options;
  const open = { keep: [], inputs: [], ownNames: [], isSample: !scan };
  const { signal } = hooks;
  const found = await logitsIn(file, { ...options, ...open, signal });
  try {
    const { column, form, dtype, classes } = found;
    // Lists of other lengths than the first.
    const some = Math.min(found.rows, Math.ceil(CHECKED_VALUES / classes));
    await interpreting(input, "values", () =>
      new InputRows(found).load(0, some),
    );
    const paths = { input, output: "output.arrow" };
    const run = resolveOptions({ ...paths, dtype: options.dtype });
    return {
      logits: { column, storage: form, dtype, classes },
      noLogitsReason: null,
      layouts: layoutSizes(
        run,
        // Of a Parquet file only a sample may be open.
        format === "parquet" ? withTableRows(found, rows) : found,
      ),
      values: scan
        ? await interpretingWith(
            input,
            "values",
            hooks.onProgress,
            (onProgress) => scanValues(found, { ...hooks, onProgress }),
          )
        : null,
    };
  } finally {
    found.close();
  }
}

/** Logits that are read from the start of the file, or one row. */
const CHECKED_VALUES = 1 << 16;

/** Errors of a sound file without logits that a run could use. */
const NO_LOGITS = [LogitsColumnError, InputUnsupportedError, RaggedRowError];

/** The logits of a table of so many rows, where those of the first are known; lists have as many rows on average. */
function withTableRows(found: LogitsFile, tableRows: number): LogitsFile {
  const [known = 0, ...inner] = found.leading;
  const rows = Math.round((found.rows / Math.max(1, known)) * tableRows);
  return { ...found, rows, leading: [tableRows, ...inner] };
}

/** Returns why a file has no logits, also as the reason of its only candidate. @throws the error of a damaged file */
function noLogits(
  input: string,
  columns: DescribedColumn[],
  error: unknown,
): Examined {
  if (!NO_LOGITS.some((known) => error instanceof known)) throw error;
  const noLogitsReason = (error as Error).message;
  const candidates = columns.filter(({ reason }) => reason === null);
  const text = noLogitsReason.replace(`${input}: `, "");
  return {
    columns: columns.map((column) =>
      candidates.length === 1 && column === candidates[0]
        ? { ...column, reason: text }
        : column,
    ),
    logits: null,
    noLogitsReason,
    layouts: [],
    values: null,
  };
}
