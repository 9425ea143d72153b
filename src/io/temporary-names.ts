import { readFileSync, readlinkSync } from "node:fs";

// A process as names of temporary files have it, so that others can tell that it has died:
//
//   3f2a9c01-4026531836-12345-678901
//   |        |          |     +-- when it started, in ticks since the boot: ids of processes are used again
//   |        |          +-- its id
//   |        +-- its namespace of ids: a container has one of its own
//   +-- the boot of its machine

const MARK = /(?:^|[-.])(([0-9a-f]{8})-(\d+)-(\d+)-(\d+))(?=[-.]|$)/;

let mark: string | undefined;

/** This process; without /proc one that nobody ever takes for dead. */
export function processMark(): string {
  mark ??= `${bootAndNamespace() ?? "00000000-0"}-${process.pid}-${startTimeOf("self") ?? 0}`;
  return mark;
}

/** Whether a name has the mark of a process of this machine, and whether that process lives; null: nobody knows. */
export function isAlive(name: string): boolean | null {
  const [, , boot, namespace, id = "", start] = MARK.exec(name) ?? [];
  if (boot === undefined || start === "0") return null;
  if (`${boot}-${namespace}` !== bootAndNamespace()) return null;
  return startTimeOf(id) === start;
}

/** The boot and the namespace of this process; null where they are not known. */
function bootAndNamespace(): string | null {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
    const [namespace] = /\d+/.exec(readlinkSync("/proc/self/ns/pid")) ?? [];
    return namespace ? `${boot.slice(0, 8)}-${namespace}` : null;
  } catch {
    return null;
  }
}

/** When a process started; null: there is none, or it has ended and waits for its parent. */
function startTimeOf(id: string): string | null {
  try {
    // The name of the command, which may have spaces and brackets, comes before the last bracket.
    const text = readFileSync(`/proc/${id}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const [state] = fields;
    return state === "Z" || state === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

/**
 * Returns `digits` hexadecimal digits for a name that nobody else is to have. It is no secret: where that matters, a file
 * is created only if none exists. node:crypto would add 7 ms to the start of every command.
 */
export function randomHex(digits: number): string {
  let hex = "";
  while (hex.length < digits)
    hex += Math.floor(Math.random() * 2 ** 24)
      .toString(16)
      .padStart(6, "0");
  return hex.slice(0, digits);
}
