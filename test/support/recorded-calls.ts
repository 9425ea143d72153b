import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { CLI } from "../cli/support.js";

/** Call of the file system, recorded by record-calls.mjs; paths are absolute. */
export interface RecordedCall {
  call:
    | ("open" | "fsync" | "fdatasync" | "link" | "rename")
    | ("unlink" | "rm" | "mkdir");
  path: string;
  /** New path of `link` and `rename`. */
  to?: string;
  /** Flags of `open`. */
  flags?: number | string;
  /** Logical times when the call began and returned. */
  begin: number;
  end: number;
  /** Whether `path` was a directory when the call began. */
  isFolder?: boolean;
  error?: string;
}

const PRELOAD = fileURLToPath(new URL("record-calls.mjs", import.meta.url));

/** Runs the built command, and returns its calls of the file system in the order of their returns. */
export function recordedCalls(
  args: readonly string[],
  more: Record<string, string> = {},
): SpawnSyncReturns<string> & { calls: RecordedCall[] } {
  const folder = mkdtempSync(join(tmpdir(), "softjac-calls-"));
  const RECORD_CALLS = join(folder, "calls");
  const env = { ...process.env, RECORD_CALLS, ...more };
  const words = ["--import", PRELOAD, CLI, ...args];
  try {
    const done = spawnSync(process.execPath, words, { encoding: "utf8", env });
    const text = existsSync(RECORD_CALLS)
      ? readFileSync(RECORD_CALLS, "utf8")
      : "";
    const lines = text.split("\n").filter(Boolean);
    return { ...done, calls: lines.map((line) => JSON.parse(line)) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Returns what a power cut could lose: a line per name that a file got before its fsync returned, and per new name or directory
 * whose parent directory was not synced afterwards.
 */
export function notDurable(calls: readonly RecordedCall[]): string[] {
  const found: string[] = [];
  const done = calls.filter(({ error }) => error === undefined);
  const syncs = done.filter(({ call }) => call === "fsync");
  for (const { call, path, to, begin, end, isFolder } of done) {
    if (call !== "link" && call !== "rename" && call !== "mkdir") continue;
    const name = to ?? path;
    const isSynced = syncs.some((s) => s.path === path && s.end < begin);
    if (call !== "mkdir" && !isFolder && !isSynced)
      found.push(`${name}: not synced before its ${call}`);
    const folder = dirname(name);
    if (!syncs.some((s) => s.path === folder && s.begin > end))
      found.push(`${name}: ${folder} not synced after its ${call}`);
  }
  return found;
}
