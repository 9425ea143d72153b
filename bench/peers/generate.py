"""Writes seeded synthetic logits: normal, times `scale`, in record batches of 65,536 rows.

usage: generate.py OUT ROWS CLASSES [float64|float32] [SCALE, default 3] [COLUMN, a second one, normal, or -] [lz4|zstd|parquet]

lz4 and zstd compress the bodies of the Arrow file; parquet writes Parquet instead, in row groups of the size that DuckDB writes.
"""
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 65536
GROUP_ROWS = 122880


def generate(path, rows, classes, dtype, scale, second="-", compression=None):
    rng = np.random.default_rng(0)
    item = pa.field("item", pa.from_numpy_dtype(dtype), nullable=False)
    scales = {"logits": scale, **({second: 1.0} if second != "-" else {})}
    schema = pa.schema([pa.field(name, pa.list_(item, classes), nullable=False) for name in scales])
    rows_at_once = GROUP_ROWS if compression == "parquet" else BATCH_ROWS
    with open(path, "wb") as f:
        with new_writer(f, schema, compression) as writer:
            for start in range(0, rows, rows_at_once):
                n = min(rows_at_once, rows - start)
                arrays = []
                for field, size in zip(schema, scales.values()):
                    values = (rng.standard_normal((n, classes)) * size).astype(dtype)
                    arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), type=field.type))
                writer.write_batch(pa.record_batch(arrays, schema=schema))
        # On the disk before anything is timed: otherwise the first fsync of softjac may wait for this file too.
        f.flush()
        os.fsync(f.fileno())


def new_writer(f, schema, compression):
    if compression == "parquet":
        return pq.ParquetWriter(f, schema)
    return pa.ipc.new_file(f, schema, options=pa.ipc.IpcWriteOptions(compression=compression))


if __name__ == "__main__":
    path, rows, classes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dtype = np.dtype(sys.argv[4] if len(sys.argv) > 4 else "float64")
    scale = float(sys.argv[5]) if len(sys.argv) > 5 else 3.0
    generate(path, rows, classes, dtype, scale, *sys.argv[6:8])
