import { readFileSync, readlinkSync } from "node:fs";

// Names of temporary files contain a mark of their process, so that other processes can tell whether it is alive:
//
//   3f2a9c01-4026531836-12345-678901
//   |        |          |     +-- start time in clock ticks since boot, because process ids are reused
//   |        |          +-- process id
//   |        +-- PID namespace (containers have their own)
//   +-- start of the machine's boot id

const MARK = /(?:^|[-.])(([0-9a-f]{8})-(\d+)-(\d+)-(\d+))(?=[-.]|$)/;

let mark: string | undefined;

/** Returns the mark of this process; without /proc a mark whose process is never considered dead. */
export function processMark(): string {
  mark ??= `${bootAndNamespace() ?? "00000000-0"}-${process.pid}-${startTimeOf("self") ?? 0}`;
  return mark;
}

/** Whether the process of a marked name is alive; null if that is unknown (no mark, or another machine or namespace). */
export function isAlive(name: string): boolean | null {
  const [, , boot, namespace, id = "", start] = MARK.exec(name) ?? [];
  if (boot === undefined || start === "0") return null;
  if (`${boot}-${namespace}` !== bootAndNamespace()) return null;
  return startTimeOf(id) === start;
}

/** Returns boot and PID namespace of this process, or null without /proc. */
function bootAndNamespace(): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
    const [namespace] = /\d+/.exec(readlinkSync("/proc/self/ns/pid")) ?? [];
    return namespace ? `${boot.slice(0, 8)}-${namespace}` : null;
  } catch {
    return null;
  }
}

/** Returns the start time of a process, or null if it does not exist or is a zombie. */
function startTimeOf(id: string): string | null {
  try {
    // The second field, the command name in parentheses, may itself contain spaces and parentheses.
    const text = readFileSync(`/proc/${id}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [state] = fields;
    return state === "Z" || state === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/**
 * Returns random hexadecimal digits for a unique name. They need not be secret, since files are created with O_EXCL.
 * node:crypto would add 7 ms to the start of every command.
 */
export function randomHex(digits: number): string {
  let hex = "";
  while (hex.length < digits)
    hex += Math.floor(Math.random() * 2 ** 24)
      .toString(16)
      .padStart(6, "0");
  return hex.slice(0, digits);
}
