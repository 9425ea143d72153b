"""Writes seeded synthetic logits: normal, times `scale`, in record batches of 65,536 rows.

usage: generate.py OUT.arrow ROWS CLASSES [float64|float32] [SCALE, default 3] [COLUMN, a second one, normal, or -] [lz4|zstd]
"""
import os
import sys

import numpy as np
import pyarrow as pa

BATCH_ROWS = 65536


def generate(path, rows, classes, dtype, scale, second="-", compression=None):
    rng = np.random.default_rng(0)
    item = pa.field("item", pa.from_numpy_dtype(dtype), nullable=False)
    scales = {"logits": scale, **({second: 1.0} if second != "-" else {})}
    schema = pa.schema([pa.field(name, pa.list_(item, classes), nullable=False) for name in scales])
    with open(path, "wb") as f:
        with pa.ipc.new_file(f, schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
            for start in range(0, rows, BATCH_ROWS):
                n = min(BATCH_ROWS, rows - start)
                arrays = []
                for field, size in zip(schema, scales.values()):
                    values = (rng.standard_normal((n, classes)) * size).astype(dtype)
                    arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), type=field.type))
                writer.write_batch(pa.record_batch(arrays, schema=schema))
        # On the disk before anything is timed: otherwise the first fsync of softjac may wait for this file too.
        f.flush()
        os.fsync(f.fileno())


if __name__ == "__main__":
    path, rows, classes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    dtype = np.dtype(sys.argv[4] if len(sys.argv) > 4 else "float64")
    scale = float(sys.argv[5]) if len(sys.argv) > 5 else 3.0
    generate(path, rows, classes, dtype, scale, *sys.argv[6:8])
