/**
 * Returns the step from one repetition of a fault to the next: `step` in `npm run test:faults`, 1 in `npm run soak:faults`,
 * which sets EVERY_CALL.
 */
export function stepOf(step: number): number {
  return process.env.EVERY_CALL ? 1 : step;
}
