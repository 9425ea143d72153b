/** Counts outcomes by name. */
export class Counter {
  readonly counts: Record<string, number> = {};

  add(outcome: string): void {
    this.counts[outcome] = (this.counts[outcome] ?? 0) + 1;
  }

  /** Returns the outcomes whose counts differ from the expected ones by more than `most`. */
  differences(expected: Record<string, number>, most: number): string[] {
    const names = Object.keys({ ...expected, ...this.counts });
    return names.flatMap((name) => {
      const [wanted, found] = [expected[name] ?? 0, this.counts[name] ?? 0];
      return Math.abs(found - wanted) > most
        ? [`${name}: ${wanted} expected, ${found} counted`]
        : [];
    });
  }
}
