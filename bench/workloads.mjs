// What is measured. `wanted`: the ratio peer/softjac that we promise ourselves.

export const workloads = [
  {
    name: "rows-10-float64",
    rows: 1_000_000,
    classes: 10,
    dtype: "float64",
    peers: [
      { name: "numpy-bsr", wanted: 2.5 },
      { name: "jax-jacrev", wanted: 5 },
      { name: "torch-jacrev", wanted: 8 },
    ],
  },
  {
    name: "rows-100-float64",
    rows: 20_000,
    classes: 100,
    dtype: "float64",
    peers: [{ name: "numpy-bsr", wanted: 3 }],
  },
  {
    name: "rows-32-float32",
    rows: 200_000,
    classes: 32,
    dtype: "float32",
    peers: [{ name: "numpy-bsr", wanted: 3 }],
  },
  {
    name: "start-up",
    rows: 1_000,
    classes: 5,
    dtype: "float64",
    peers: [{ name: "numpy-bsr", wanted: 1 }],
  },
  {
    // Alone and once: only its peak memory is asked for, which must be no higher than that of a tenth of the rows.
    name: "memory-10x",
    rows: 10_000_000,
    classes: 10,
    dtype: "float64",
    peers: [],
    peakNoHigherThan: "rows-10-float64",
  },
];

/** Bytes that input and output take together. */
export function bytesOnDisk({ rows, classes, dtype }) {
  const valuesPerRow = classes + classes + classes * classes;
  return rows * (valuesPerRow * (dtype === "float32" ? 4 : 8) + 8);
}
