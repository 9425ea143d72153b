// What is measured. `args`: what softjac is told beside input and output; `results`: what check.py expects then
// (default bsr: softmax and blocks). `against`: how its rows' other form differs, for peers that are softjac on that. `wanted`: the ratio peer/softjac that we promise ourselves.

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
    name: "softmax",
    rows: 5_000_000,
    classes: 10,
    dtype: "float32",
    results: "softmax",
    args: ["--emit", "softmax"],
    valuesOut: 10,
    peers: [{ name: "numpy-softmax", wanted: 3 }],
  },
  {
    name: "vjp",
    rows: 2_000_000,
    classes: 20,
    dtype: "float32",
    cotangent: true,
    results: "vjp",
    args: ["--column", "logits", "--emit", "vjp", "--cotangent", "cotangent"],
    valuesOut: 20,
    peers: [{ name: "numpy-vjp", wanted: 2 }],
  },
  {
    name: "packed",
    rows: 20_000,
    classes: 100,
    dtype: "float64",
    results: "packed",
    args: ["--layout", "packed"],
    peers: [{ name: "softjac-bsr", results: "bsr", wanted: 1.6 }],
  },
  {
    name: "coo",
    rows: 2_000,
    classes: 1_000,
    dtype: "float64",
    scale: 4,
    results: "coo",
    args: ["--layout", "coo", "--threshold", "1e-8"],
    // Some 55,000 entries a row, three numbers each.
    valuesOut: 168_000,
    peers: [{ name: "numpy-coo", wanted: 6 }],
  },
  // Compressed input may cost half as much again as plain input: 1/1.5.
  ...["lz4", "zstd"].map((compression) => ({
    name: compression,
    rows: 1_000_000,
    classes: 10,
    dtype: "float32",
    compression,
    against: { compression: undefined },
    peers: [{ name: "softjac-plain", wanted: 0.67 }],
  })),
  {
    // Row groups of the size that DuckDB writes, which several threads decode.
    name: "parquet",
    rows: 4_000_000,
    classes: 10,
    dtype: "float64",
    compression: "parquet",
    results: "softmax",
    args: ["--emit", "softmax"],
    valuesOut: 10,
    peers: [{ name: "numpy-softmax", wanted: 1 }],
  },
  {
    name: "input-float32",
    rows: 1_000_000,
    classes: 10,
    dtype: "float32",
    against: { dtype: "float64" },
    peers: [{ name: "softjac-float64", wanted: 1 }],
  },
  {
    // cat | softjac run - -o - | cat
    name: "pipe",
    rows: 1_000_000,
    classes: 10,
    dtype: "float64",
    piped: true,
    peers: [{ name: "softjac-plain", wanted: 0.6 }],
  },
  {
    // A folder of parts instead of a file: may cost 15 % more, 1/1.15.
    name: "dataset",
    rows: 1_000_000,
    classes: 10,
    dtype: "float64",
    sharded: true,
    peers: [{ name: "softjac-plain", wanted: 0.87 }],
  },
  // Sums over rows, from 9 features and a constant; `model` is the computation of peers/effects.py.
  ...[
    { name: "effects", model: "ame", sums: ["effects"], wanted: 3 },
    {
      name: "fisher",
      model: "fisher",
      sums: ["reduce", "--emit", "fisher"],
      wanted: 2,
    },
  ].map(({ wanted, ...workload }) => ({
    ...workload,
    rows: 1_900_000,
    classes: 5,
    dtype: "float64",
    valuesOut: 10,
    peers: [{ name: `numpy-${workload.model}`, wanted }],
  })),
  {
    name: "reduce-by",
    sums: ["reduce", "--emit", "jacobian", "--by", "g"],
    model: "fisher",
    rows: 1_900_000,
    classes: 5,
    dtype: "float64",
    valuesOut: 10,
    // 5,000 groups in random order may take twice the time: 1/2.
    peers: [{ name: "softjac-ungrouped", wanted: 0.5 }],
  },
  {
    name: "reduce",
    sums: ["reduce", "--emit", "softmax,jacobian"],
    rows: 1_000_000,
    classes: 10,
    dtype: "float64",
    valuesOut: 1,
    peers: [{ name: "softjac-entropy", wanted: 1 }],
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
export function bytesOnDisk({ rows, classes, dtype, valuesOut, cotangent }) {
  const out = valuesOut ?? classes + classes * classes;
  const valuesPerRow = classes * (cotangent ? 2 : 1) + out;
  return rows * (valuesPerRow * (dtype === "float32" ? 4 : 8) + 8);
}
