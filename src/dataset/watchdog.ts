/**
 * Does work that shows signs of life: where it calls `alive` no more for so many seconds, it is left to itself.
 * @throws what `stalled` makes
 */
export async function watched<T>(
  seconds: number,
  work: (alive: () => void) => Promise<T>,
  stalled: () => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const stall = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(stalled()), seconds * 1000);
  });
  const done = work(() => timer?.refresh());
  // Of work that was left, nobody hears.
  done.catch(() => {});
  try {
    return await Promise.race([done, stall]);
  } finally {
    clearTimeout(timer);
  }
}
