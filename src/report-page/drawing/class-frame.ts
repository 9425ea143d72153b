/** Up to so many classes every one has its label. */
const LABELLED = 60;

/** The two figures of classes stand side by side, line by line. */
export function frameOf(shown: readonly number[]) {
  const isMany = shown.length > 24;
  const longest = Math.max(...shown.map((k) => String(k).length));
  return {
    width: 560,
    height: 560,
    marginLeft: 52,
    marginTop: 26,
    marginBottom: isNamed(shown) && isMany ? 36 + 7 * longest : 48,
    style: { fontSize: isMany ? "10px" : "13px" },
  };
}

/** Classes are names, and no amounts. */
export function ticksOf(shown: readonly number[]) {
  return isNamed(shown) ? { tickFormat: String } : { ticks: [] };
}

/** Whether there is room for their names at the axes. */
export function isNamed(shown: readonly number[]): boolean {
  return shown.length <= LABELLED;
}
