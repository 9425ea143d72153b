import { type BigIntStats, fstatSync, statSync } from "node:fs";
import { InputChangedError } from "../errors.js";
import { inputCall } from "../io/system-error.js";

/**
 * Identity of an input's content: if two states of an input are equal, its bytes are the same. The time of the last status
 * change (ctime) is not included, because chmod, a new hard link or a backup sets it without changing the content.
 */
export interface InputState {
  bytes: number;
  /** Time of the last modification of a file, in nanoseconds since 1970. */
  modified?: string;
  /** Device and inode of a file; they change when another file is renamed to the path. */
  inode?: string;
  etag?: string;
}

/** File or object that an input is read from. */
export interface InputSource {
  path: string;
  /** Open descriptor of the file itself, not of a decoded copy; -1 for an object. */
  fd: number;
  opened: InputState;
  /** Returns the current state; null if the file or object no longer exists. */
  state(): InputState | null | Promise<InputState | null>;
}

/** Returns the source of an open file; `path` is null for a descriptor inherited by the process. */
export function fileSource(
  name: string,
  fd: number,
  path: string | null = name,
): InputSource {
  const state = path === null ? () => stateOfOpen(fd) : () => stateAt(path);
  return { path: name, fd, opened: stateOfOpen(fd), state };
}

/** Returns the state of the file at `path`; null if there is none. @throws IoError, PermissionError */
export function stateAt(path: string): InputState | null {
  const stat = inputCall(path, "could not be examined", () =>
    statSync(path, { bigint: true, throwIfNoEntry: false }),
  );
  return stat ? stateOf(stat) : null;
}

/**
 * Rejects an input whose file or object has changed since it was opened. Results of such an input must not be published,
 * because they may mix its old and new content.
 * @throws InputChangedError, IoError
 */
export async function checkUnchanged(
  source: InputSource | null,
): Promise<void> {
  if (source)
    checkSame(source.path, WHILE_READ, source.opened, await source.state());
}

/**
 * Rejects an open file that has been written to or truncated since it was opened. A file renamed to the path is accepted,
 * because the descriptor still refers to the content that was opened.
 * @throws InputChangedError
 */
export function checkUnwritten({
  fd,
  source,
}: {
  fd: number;
  source: InputSource | null;
}): void {
  if (source?.fd === fd)
    checkSame(source.path, WHILE_READ, source.opened, stateOfOpen(fd));
}

/** Runs `work`, and rejects if one of the files at `paths` changes meanwhile. @throws InputChangedError, IoError */
export async function whileUnchanged<T>(
  paths: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  const before = paths.map((path) => stateAt(path));
  const result = await work();
  for (const [n, path] of paths.entries()) {
    const state = before[n];
    if (state) checkSame(path, WHILE_READ, state, stateAt(path));
  }
  return result;
}

/** Time of a change, and advice, as parts of a message. */
type Occasion = readonly [when: string, advice: string];

export const WHILE_READ: Occasion = [
  "while it was read",
  "run the command again once nothing writes to it",
];
export const SINCE_PLANNED: Occasion = [
  "since the run was planned",
  "plan the run again",
];

/** Rejects a state that differs from `before` in a field that `before` has. @throws InputChangedError */
export function checkSame(
  path: string,
  [when, advice]: Occasion,
  before: InputState,
  now: InputState | null,
): void {
  const changes = FIELDS.flatMap(([field, label]) => {
    const [was, is] = [before[field], now?.[field]];
    return was === undefined || was === is
      ? []
      : [`${label} ${format(field, was)}, now ${format(field, is)}`];
  });
  if (changes.length === 0) return;
  throw new InputChangedError(
    path,
    now
      ? `changed ${when} (${changes.join("; ")}): ${advice}`
      : `was removed ${when}: ${advice}`,
  );
}

const FIELDS: readonly [field: keyof InputState, label: string][] = [
  ["bytes", "bytes"],
  ["modified", "modified"],
  ["inode", "inode"],
  ["etag", "ETag"],
];

/** Formats a value for a message; times as ISO 8601 with nanoseconds. */
function format(field: string, value: string | number = "none"): string {
  const [, seconds, fraction] =
    /^(-?\d+?)(\d{9})$/.exec(field === "modified" ? `${value}` : "") ?? [];
  const time = new Date(Number(seconds) * 1000);
  return Number.isNaN(time.getTime())
    ? String(value)
    : time.toISOString().replace(/\.\d+Z$/, `.${fraction}Z`);
}

function stateOfOpen(fd: number): InputState {
  return stateOf(fstatSync(fd, { bigint: true }));
}

function stateOf({ size, mtimeNs, dev, ino }: BigIntStats): InputState {
  return {
    bytes: Number(size),
    modified: String(mtimeNs),
    inode: `${dev}:${ino}`,
  };
}
