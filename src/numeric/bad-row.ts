/** What makes a row of logits bad: the first NaN, else the first +inf, else that there is nothing but -inf. */
export function describeBadRow(logits: Float64Array | Float32Array): string {
  const nan = logits.findIndex(Number.isNaN);
  if (nan >= 0) return `NaN in class ${nan}`;
  const infinite = logits.indexOf(Number.POSITIVE_INFINITY);
  if (infinite >= 0) return `+inf in class ${infinite}`;
  const classes = logits.length;
  return `-inf in ${classes === 1 ? "its only class" : `all ${classes} classes`}`;
}
