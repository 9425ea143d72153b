// Median and spread of a few figures.

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** { median, min, max }, to six decimals: microseconds, where the figures are seconds. */
export function spread(values) {
  const round = (value) => Math.round(value * 1e6) / 1e6;
  return {
    median: round(median(values)),
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
  };
}
