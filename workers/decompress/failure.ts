/** Compressed bytes that are damaged: what was expected, and what was found. */
export class Damaged extends Error {}
