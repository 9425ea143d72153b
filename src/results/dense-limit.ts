/** A dense tensor larger than this is a mistake, unless forced: all but its diagonal blocks is zero. */
export const MAX_DENSE_BYTES = 2 ** 30;
