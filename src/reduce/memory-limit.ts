import { UsageError } from "../errors.js";
import { bytes as formatBytes, numberOf } from "../format-number.js";
import type { SumsSpace } from "../kernels/sums.js";
import type { SumsPass } from "../tasks/run-tasks.js";

/** Sums of passes, and names of the columns that form groups. */
interface PassSums {
  passes: SumsPass[];
  spaces: SumsSpace[];
  keys: readonly { name: string }[];
}

interface MemoryLimit {
  /** Maximum number of threads. */
  threads: number;
  maxSumsBytes: number;
}

/** Describes sums of one group that exceed the address space of the kernel. */
export function tooManySums({
  classes,
  features,
}: {
  classes: number;
  features: number;
}): string {
  return `the results of ${classes} classes and ${features} features need more than 4 GiB of sums; choose smaller ones, such as kfac instead of fisher`;
}

/** Returns the bytes of the sums of groups: each thread has sums of its own, and the main thread has their total. */
function bytesOfSums(
  { spaces, passes }: PassSums,
  groups: number,
  threads: number,
): number {
  const copies = Math.max(1, threads) + 1;
  return spaces.reduce(
    (sum, { groupBytes }, k) =>
      sum + copies * groupBytes * (passes[k]?.isGrouped ? groups : 1),
    0,
  );
}

/** Returns the largest number of threads, up to that of the request, with which the sums of one group fit into memory. */
export function threadsThatFit(
  sums: PassSums,
  { threads, maxSumsBytes }: MemoryLimit,
): number {
  let fitting = threads;
  while (fitting > 1 && bytesOfSums(sums, 1, fitting) > maxSumsBytes) fitting--;
  return fitting;
}

/** Returns the number of groups whose sums fit into memory. @throws UsageError if there is none */
export function groupLimit(
  sums: PassSums,
  { maxSumsBytes }: MemoryLimit,
  threads: number,
): number {
  const fixed = bytesOfSums(sums, 0, threads);
  const one = bytesOfSums(sums, 1, threads);
  if (one <= maxSumsBytes)
    return Math.floor((maxSumsBytes - fixed) / (one - fixed));
  const count = sums.spaces.reduce((all, space) => all + space.sums, 0);
  throw new UsageError(
    `maxSumsBytes: ${numberOf(count, "sum")} take${count === 1 ? "s" : ""} ${formatBytes(one)} with ${numberOf(Math.max(1, threads), "thread")}, more than the maximum (${formatBytes(maxSumsBytes)}); raise it, or use fewer threads or smaller results`,
    "maxSumsBytes",
  );
}

/** Checks that the sums of `size` groups fit into memory. @throws UsageError */
export function checkGroups(
  sums: PassSums,
  request: MemoryLimit,
  threads: number,
  size: number,
): void {
  if (size <= groupLimit(sums, request, threads)) return;
  const { keys, spaces, passes } = sums;
  const { maxSumsBytes } = request;
  const grouped = (groups: number, threads: number) =>
    bytesOfSums(sums, groups, threads) - bytesOfSums(sums, 0, threads);
  const perGroup = spaces.reduce(
    (all, space, k) => all + (passes[k]?.isGrouped ? space.sums : 0),
    0,
  );
  throw new UsageError(
    `by: ${keys.map(({ name }) => name).join()} has ${numberOf(size, "group")} so far; ${numberOf(perGroup, "sum")} per group take ${formatBytes(grouped(size, threads))} with ${numberOf(Math.max(1, threads), "thread")}, more than --max-sums-bytes (${formatBytes(maxSumsBytes)})`,
    "maxSumsBytes",
  );
}
