import { existsSync, readFileSync, statSync } from "node:fs";
import {
  AbortedError,
  InputUnsupportedError,
  isUnknownClassesError,
  UsageError,
} from "../errors.js";
import {
  checkSame,
  checkUnchanged,
  type InputState,
  stateAt,
  WHILE_READ,
} from "../input/input-state.js";
import {
  type LogitsFile,
  type OpenOptions,
  sourceRanges,
} from "../input/logits-file.js";
import { logitsReporter, openLogits } from "../input/open-logits.js";
import { SumsSpace } from "../kernels/sums.js";
import { BLOCK_ROWS } from "../kernels/sums-layout.js";
import type { Coefficients } from "../model/coefficients.js";
import type { RunHooks } from "../options/hooks.js";
import { WorkerPool } from "../pool/worker-pool.js";
import { partitionReader } from "../results/path-partitions.js";
import { indexOfRow } from "../results/row-axes.js";
import { readingContext } from "../run/run-context.js";
import { runTasks } from "../run/run-tasks.js";
import { sumsModule } from "../tasks/kernel-memory.js";
import type { SumsPass, WorkerContext } from "../tasks/run-tasks.js";
import { layoutSlot } from "../tasks/slot-layout.js";
import { GroupTable, type KeyColumn } from "./group-table.js";
import {
  checkGroups,
  groupLimit,
  threadsThatFit,
  tooManySums,
} from "./memory-limit.js";
import {
  checkSame as checkSameShape,
  type RowShape,
  shapeOf,
} from "./row-shape.js";

/** Rows to sum. */
export interface SumRequest {
  /** Name of the command, for messages. */
  command: string;
  inputs: readonly string[];
  /** Options for opening each input; `inputs` of them are the auxiliary columns, keys last. */
  open: Omit<OpenOptions, "keep" | "ownNames">;
  /** Model that computes the logits from the features; null: the input has logits. */
  coefficients: Coefficients | null;
  /** Whether a constant 1 precedes the features. */
  intercept: boolean;
  onBadRow: "error" | "skip";
  threads: number;
  /** Whether the caller set `threads`. */
  threadsExplicit: boolean;
  chunkRows: number | undefined;
  maxSumsBytes: number;
  output: string;
  /** Returns the passes over the rows of the first input, which all others must resemble. */
  plan(shape: RowShape): SumsPass[] | Promise<SumsPass[]>;
}

/** Input of partial sums: its path, and a hash of its absolute path and size, which tells inputs apart. */
export interface SummedInput {
  path: string;
  id: string;
}

/** Sums of rows by group. */
export interface RowSums {
  shape: RowShape;
  passes: SumsPass[];
  /** Paths of the files whose rows are in the sums, or what partial sums know of them. */
  inputs: readonly (string | SummedInput)[];
  /** One for each pass. */
  spaces: SumsSpace[];
  groups: GroupTable;
  keys: KeyColumn[];
  /** Number of rows of the inputs. */
  rows: number;
  badRows: number;
  firstBadRow: { input: string; row: number } | null;
  threads: number;
}

const MiB = 1 << 20;
/** Bytes of the rows that are added at once, which caches hold. */
const LOAD_BYTES = MiB;
/**
 * Largest number of loads of a task. A thread must not wait for its next task, which the main thread gives between its own
 * loads. With groups more, since each task returns the sums of its groups.
 */
const TASK_LOADS = { alone: 16, grouped: 128 };
/** Terms of a task, which takes about a second: a call stops between tasks. */
const CHUNK_TERMS = 2 ** 31;
/** Up to this number of rows the main thread is done before a thread has started. */
const INLINE_ROWS = 1 << 15;
/** Up to this number of terms the main thread is free again within a second. */
const INLINE_TERMS = 1 << 28;

/**
 * Sums the rows of all inputs. Blocks of BLOCK_ROWS rows are counted from the start of each input, so that neither threads
 * nor tasks change a bit of the sums.
 * @throws SoftjacError
 */
export async function sumInputs(
  request: SumRequest,
  { signal, onProgress, onEvent, mainThread }: RunHooks,
  kept?: KeptInputs,
): Promise<RowSums> {
  const inputs = kept?.inputs ?? (await filesOfAll(request.inputs, onEvent));
  if (kept) kept.inputs = inputs;
  rejectRepeated(inputs);
  const module = sumsModule(`softjac ${request.command}`);
  let workerPool = kept?.workerPool;
  let sums: RowSums | null = null;
  try {
    const partitionsOf = partitionReader(inputs);
    const report = logitsReporter(onEvent, request.coefficients !== null);
    // Files without rows come last, because their lists have no length; they get that of the others.
    const deferred = new Set<string>();
    let first: string | null = null;
    const all = [...inputs];
    for (const path of all) {
      if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
      const classes = knownValues(request) ?? sums?.shape.classes;
      const partitions = partitionsOf(path);
      const own = { partitions, keep: [], ownNames: [], classes };
      const open = { ...request.open, ...own, signal };
      const mayWait = !sums && path !== "-" && !deferred.has(path);
      const isDeferrable = mayWait && inputs.length > 1;
      const known = kept?.files.get(path);
      const logits =
        known ??
        (await openLogits(path, open).catch((error) => {
          if (isDeferrable && isUnknownClassesError(error)) return null;
          throw error;
        }));
      if (logits === null || (isDeferrable && logits.rows === 0)) {
        if (!known) logits?.close();
        deferred.add(path);
        all.push(path);
        continue;
      }
      let isKept = false;
      try {
        isKept = kept?.add(path, logits) ?? false;
        const found = shapeOf(logits, request);
        const shape =
          sums && logits.rows === 0
            ? { ...sums.shape, classes: found.classes }
            : found;
        sums ??= await startSums(shape, logits, module, { ...request, inputs });
        // A block of rows is added without a pause, in which signals and time limits would wait.
        const isShort = BLOCK_ROWS * termsOf(sums) <= INLINE_TERMS;
        workerPool ??= new WorkerPool(mainThread && isShort);
        first ??= path;
        sums.keys = checkSameShape(sums, logits, shape, first);
        if (kept?.isFirstPass ?? true) await report(logits);
        const work = { module, sums, workerPool };
        await sumFile(logits, request, work, { signal, onProgress });
        await checkUnchanged(logits.source);
      } finally {
        if (!isKept) logits.close();
      }
    }
    if (kept) kept.isFirstPass = false;
    return sums as RowSums;
  } finally {
    if (!kept) await workerPool?.close();
  }
}

/** Returns the number of features that the coefficients state; undefined if the input has the logits. */
function knownValues({ coefficients, intercept }: SumRequest) {
  return coefficients?.matrix && coefficients.matrix.rows - Number(intercept);
}

/**
 * Returns the files that paths, directories and patterns name, those of each in natural order.
 * @throws InputMissingError for a directory or pattern without files
 */
export async function filesOfAll(
  paths: readonly string[],
  onEvent: RunHooks["onEvent"],
): Promise<readonly string[]> {
  if (paths.every((path) => path === "-" || isFile(path))) return paths;
  const { listInputs } = await import("../dataset/find-inputs.js");
  const { files, warning: message } = await listInputs(paths);
  if (message) onEvent?.({ event: "warning", message });
  return files;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

/** Returns the number of terms of a row in all passes. */
function termsOf({ spaces }: RowSums): number {
  return spaces.reduce((all, space) => all + space.sums, 0);
}

/** Rejects an input that is given twice, by one path or two. @throws UsageError, IoError */
function rejectRepeated(paths: readonly string[]): void {
  const known = new Map<string, string>();
  for (const path of paths) {
    const file = path === "-" ? path : stateAt(path)?.inode;
    const first = file && known.get(file);
    if (first !== undefined)
      throw new UsageError(
        `${path} is ${path === first ? "given twice" : `the same file as ${first}`}; its rows would count twice`,
        "inputs",
      );
    if (file) known.set(file, path);
  }
}

/** Returns how many files stay open: a quarter of those that the system allows the process, because a decoded file takes two. */
function maxKept(): number {
  // macOS allows 256, and has no /proc.
  const text = existsSync(LIMITS_OF_PROCESS)
    ? readFileSync(LIMITS_OF_PROCESS, "utf8")
    : "";
  const [, allowed = 256] = /^Max open files\s+(\d+)/m.exec(text) ?? [];
  return Number(allowed) / 4;
}

const LIMITS_OF_PROCESS = "/proc/self/limits";

/** Open inputs and threads, for several passes over the rows. Each pass opens the files above the limit again. */
export class KeptInputs {
  readonly files = new Map<string, LogitsFile>();
  readonly #states = new Map<string, InputState | undefined>();
  readonly #maxFiles = maxKept();
  isFirstPass = true;
  readonly workerPool: WorkerPool;
  /** Paths of the files, once they are known. */
  inputs: readonly string[] | undefined;

  constructor({ mainThread }: RunHooks) {
    this.workerPool = new WorkerPool(mainThread);
  }

  /**
   * Returns whether an input stays open, as pipes do, which can be read once only.
   * @throws InputChangedError if it is not the one of the first pass
   */
  add(path: string, file: LogitsFile): boolean {
    const { source } = file;
    const before = this.#states.get(path);
    if (before) checkSame(path, WHILE_READ, before, source?.opened ?? null);
    else this.#states.set(path, source?.opened);
    if (this.files.size >= this.#maxFiles && isFile(path))
      return this.files.has(path);
    this.files.set(path, file);
    return true;
  }

  async close(): Promise<void> {
    for (const file of this.files.values()) file.close();
    await this.workerPool.close();
  }
}

async function startSums(
  shape: RowShape,
  { inputs, path }: LogitsFile,
  module: WebAssembly.Module,
  { plan, inputs: files }: SumRequest,
): Promise<RowSums> {
  const passes = await plan(shape);
  const groups = new GroupTable();
  if (!inputs.some(({ key }) => key)) groups.indexOf(new Float64Array(0));
  const spaces = passes.map(({ spec }) => {
    try {
      const space = new SumsSpace(module, spec);
      space.ensureGroups(groups.size);
      return space;
    } catch (cause) {
      // It cannot be so large.
      if (!(cause instanceof RangeError || cause instanceof TypeError))
        throw cause;
      throw new InputUnsupportedError(path, "sums", tooManySums(shape));
    }
  });
  return {
    shape,
    passes,
    spaces,
    groups,
    keys: inputs.flatMap(({ name, key }) => (key ? [{ name, ...key }] : [])),
    ...{ rows: 0, badRows: 0, firstBadRow: null, threads: 0, inputs: files },
  };
}

async function sumFile(
  logits: LogitsFile,
  request: SumRequest,
  {
    module,
    sums,
    workerPool,
  }: { module: WebAssembly.Module; sums: RowSums; workerPool: WorkerPool },
  { signal, onProgress }: Pick<RunHooks, "signal" | "onProgress">,
): Promise<void> {
  const { path, rows, sources } = logits;
  const { shape } = sums;
  const { coefficients, output, intercept } = request;
  const rowBytes = sources.reduce(
    (sum, s) => sum + s.values * (s.width + 8),
    0,
  );
  const perRow = termsOf(sums);
  const kind = sums.keys.length > 0 ? "grouped" : "alone";
  const largestLoad = LOAD_BYTES / rowBytes;
  const largestTask = Math.min(
    request.chunkRows ?? TASK_LOADS[kind] * largestLoad,
    CHUNK_TERMS / perRow,
  );
  // Tasks of one size, as many for each thread.
  const most = Math.max(1, request.threads);
  const chunkRows = wholeBlocks(
    rows / most / Math.ceil(rows / most / largestTask) || 1,
  );
  const loadRows = Math.min(chunkRows, wholeBlocks(largestLoad));
  const isLong = rows > INLINE_ROWS || rows * perRow > INLINE_TERMS;
  const threads = request.threadsExplicit
    ? request.threads
    : isLong
      ? threadsThatFit(sums, request)
      : 0;
  const slots = Math.max(1, threads + 1);
  const slot = layoutSlot({
    ...{ loadRows, rowBlockSize: 1, tileRows: 1, slack: 0 },
    classes: shape.classes,
    sources,
    results: [],
  });
  const memory = workerPool.memory(slots * slot.bytes);
  const of = (holds: (option: string) => boolean) =>
    logits.inputs.flatMap(({ option }, n) => (holds(option) ? [n + 1] : []));
  const context: WorkerContext = {
    ...readingContext(logits, slot, memory),
    sources: sources.map((source) => ({
      ...source,
      names: shape.terms.slice(intercept ? 1 : 0),
    })),
    output: { fd: -1, direct: -1, compare: false },
    classes: shape.classes,
    temperature: 1,
    results: [],
    ...{ loadRows, rowBlockSize: 1, tileRows: 1, entries: null },
    onBadRow: request.onBadRow,
    sums: {
      module,
      passes: sums.passes,
      intercept,
      terms: shape.terms,
      logits: coefficients ? -1 : 0,
      features: coefficients ? 0 : (of((o) => o === "features")[0] ?? -1),
      weights: of((o) => o === "weight")[0] ?? -1,
      inputs: of((o) => !["features", "weight", "by"].includes(o)),
      keys: of((o) => o === "by"),
      maxGroups: groupLimit(sums, request, threads),
    },
  };
  const done = { rows: 0, start: sums.rows };
  const taskContext = {
    pool: await workerPool.pool(threads, context),
    options: { output },
    logits: { path },
    // A block of thousands of classes takes half a minute. Threads write nothing, so a stop need not wait for their tasks.
    output: { stop: () => void (signal?.aborted && workerPool.close()) },
    report: { axes: context.axes },
    advice: "--on-bad-row skip leaves such rows out",
    signal,
    onProgress: () => onProgress?.(done.start + done.rows, done.start + rows),
  };
  sums.threads = Math.max(sums.threads, threads);
  await runTasks(
    taskContext,
    slots,
    chunks(rows, chunkRows),
    async ([rowStart, rowEnd], slot, { run }) => {
      const pieces = sourceRanges(logits, rowStart, rowEnd);
      const reply = await run({ kind: "sums", slot, rowStart, rowEnd, pieces });
      const part = reply.sums as NonNullable<typeof reply.sums>;
      checkWhole(part.keys, sums.keys, path);
      merge(sums, part, request, threads);
      done.rows += rowEnd - rowStart;
      sums.badRows += reply.badRows.length;
      const [bad] = reply.badRows;
      if (bad === undefined) return;
      const { firstBadRow } = sums;
      if (firstBadRow?.input === path && firstBadRow.row < bad) return;
      if (firstBadRow === null || firstBadRow.input === path)
        sums.firstBadRow = { input: path, row: bad };
    },
  ).catch(async (error) => {
    if (!signal?.aborted) throw error;
    // Threads read from the input until they have ended.
    await workerPool.close();
    throw new AbortedError({ cause: signal.reason });
  });
  if (sums.firstBadRow?.input === path) {
    const [row = 0] = indexOfRow(context.axes, sums.firstBadRow.row);
    sums.firstBadRow.row = row;
  }
  sums.rows += rows;
}

/** Returns a number of rows in whole blocks, at least one. */
function wholeBlocks(rows: number): number {
  return BLOCK_ROWS * Math.max(1, Math.ceil(rows / BLOCK_ROWS));
}

function* chunks(
  rows: number,
  chunkRows: number,
): Generator<[rowStart: number, rowEnd: number]> {
  for (let start = 0; start < rows; start += chunkRows)
    yield [start, Math.min(rows, start + chunkRows)];
}

/** Rejects numbers that are not whole, or not exact in float64; NaN is null. @throws InputUnsupportedError */
function checkWhole(
  values: Float64Array,
  keys: readonly KeyColumn[],
  path: string,
): void {
  const at = values.findIndex(
    (key) => !Number.isSafeInteger(key) && !Number.isNaN(key),
  );
  if (at < 0) return;
  const value = values[at] as number;
  const found = Number.isInteger(value)
    ? `${BigInt(value)} or a number near it`
    : String(value);
  throw new InputUnsupportedError(
    path,
    `column ${keys[at % keys.length]?.name}`,
    `expected whole numbers from -(2^53 - 1) to 2^53 - 1 for --by, found ${found}; write them as strings`,
  );
}

/** Adds the sums of a task. @throws UsageError if they exceed the memory limit */
function merge(
  sums: RowSums,
  part: { keys: Float64Array; groups: number; states: Uint8Array[] },
  request: SumRequest,
  threads: number,
): void {
  const { groups, passes, spaces, keys } = sums;
  const count = keys.length;
  const own = Array.from({ length: part.keys.length / (count || 1) }, (_, n) =>
    groups.indexOf(part.keys.subarray(n * count, (n + 1) * count)),
  );
  const size = Math.max(part.groups, groups.size);
  checkGroups(sums, request, threads, size);
  const all = Array.from({ length: part.groups }, (_, n) => own[n] ?? 0);
  for (const [k, space] of spaces.entries())
    space.mergeAll(
      passes[k]?.isGrouped ? all : [0],
      part.states[k] as Uint8Array,
    );
}
