import { PosixStore } from "../../src/storage/posix-store.js";
import type { FolderStore } from "../../src/storage/store.js";

/** Calls of a store that can fail. */
export const CALLS = [
  ...(["head", "list", "read", "readRange"] as const),
  ...(["makeFolder", "putIfAbsent", "rename", "remove"] as const),
] satisfies readonly (keyof FolderStore)[];

export const FAULTS = ["before", "after", "short", "slow"] as const;

export interface Fault {
  call: (typeof CALLS)[number];
  /** Number of the failing call, from 1. */
  turn: number;
  /** Failure before or after the call took effect, a result with half of the bytes or names, or a wait for `meanwhile`. */
  fault: (typeof FAULTS)[number];
  meanwhile?: () => Promise<void>;
}

/** Returns a class of stores with other methods. */
export function storeWith(
  methods: Partial<FolderStore> & ThisType<PosixStore>,
): typeof PosixStore {
  class ChangedStore extends PosixStore {}
  Object.assign(ChangedStore.prototype, methods);
  return ChangedStore;
}

/** Returns a class of stores with one faulty call. */
export function faultyStore(
  { call, turn, fault, meanwhile }: Fault,
  onFault = () => {},
): typeof PosixStore {
  let calls = 0;
  const original = PosixStore.prototype[call] as (
    ...args: unknown[]
  ) => Promise<unknown>;
  return storeWith({
    async [call](this: PosixStore, ...args: unknown[]) {
      if (++calls !== turn) return original.apply(this, args);
      onFault();
      const failure = Object.assign(new Error("EIO"), { code: "EIO" });
      if (fault === "before") throw failure;
      if (fault === "slow") await meanwhile?.();
      const result = await original.apply(this, args);
      if (fault === "after") throw failure;
      return fault === "short" ? half(result) : result;
    },
  });
}

function half(value: unknown): unknown {
  if (value instanceof Uint8Array)
    return value.subarray(0, value.byteLength >> 1);
  return value instanceof Map
    ? new Map([...value].slice(0, value.size >> 1))
    : value;
}
