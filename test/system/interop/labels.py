"""Labels as pandas, R, polars and DuckDB write them, for labels.test.ts: argument 1 is a directory."""

import sys
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet

directory = sys.argv[1]
NAMES = ["setosa", "versicolor", "virginica"]
CLASSES = [2, 0, None, 1, 1, 2, 0, 0, 2, 1]
names = [None if k is None else NAMES[k] for k in CLASSES]
logits = pa.FixedSizeListArray.from_arrays(
    pa.array([float((7 * k) % 5) for k in range(3 * len(CLASSES))]), 3
)


def table(labels):
    return pa.table({"logits": logits, "label": labels})


def write(name, labels, **options):
    feather.write_feather(table(labels), f"{directory}/{name}.arrow", **options)


def stream(name, tables):
    with pa.ipc.new_stream(
        f"{directory}/{name}.arrow",
        tables[0].schema,
        options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True),
    ) as out:
        for one in tables:
            out.write_table(one)


write("pandas-categorical", pa.Array.from_pandas(pd.Categorical(names)), compression="lz4")
write("pandas-object", pa.Array.from_pandas(pd.Series(names)), compression="zstd")
write("pandas-float", pa.Array.from_pandas(pd.Series(CLASSES, dtype="float64")))
write("numpy-nan", pa.array(np.array([np.nan if k is None else k for k in CLASSES])))
write(
    "r-factor",
    pa.DictionaryArray.from_arrays(pa.array(CLASSES, pa.int8()), pa.array(NAMES), ordered=False),
)
whole = pa.concat_tables([table(pa.array(names).dictionary_encode())] * 2)
feather.write_feather(whole.slice(3, 10), f"{directory}/sliced.arrow", chunksize=4, compression="uncompressed")
first = pa.array(["virginica", "setosa"])
stream(
    "deltas",
    [
        pa.table(
            {
                "logits": logits.slice(0, 4),
                "label": pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1], pa.int8()), first),
            }
        ),
        pa.table(
            {
                "logits": logits.slice(4, 3),
                "label": pa.DictionaryArray.from_arrays(
                    pa.array([2, 0, 1], pa.int8()), pa.array(["virginica", "setosa", "versicolor"])
                ),
            }
        ),
    ],
)
feather.write_feather(
    table(pa.array(names)).slice(0, 0), f"{directory}/no-rows.arrow"
)
schema = table(pa.array(names).dictionary_encode()).schema
with pa.ipc.new_stream(f"{directory}/replaced.arrow", schema) as out:
    for start, order in ((0, NAMES), (5, NAMES[::-1])):
        codes = [None if name is None else order.index(name) for name in names[start : start + 5]]
        labels = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(order))
        out.write_table(pa.table({"logits": logits.slice(start, 5), "label": labels}, schema=schema))
frame = pl.DataFrame({"logits": logits.to_pylist(), "label": names})
frame.write_ipc(f"{directory}/polars-string.arrow")
frame.with_columns(pl.col("label").cast(pl.Categorical)).write_ipc(f"{directory}/polars-categorical.arrow")
frame.with_columns(pl.col("label").cast(pl.Enum(NAMES[::-1]))).write_ipc(f"{directory}/polars-enum.arrow")
parquet.write_table(table(pa.array(names)), f"{directory}/strings.parquet")
parquet.write_table(table(pa.array(names).dictionary_encode()), f"{directory}/dictionary.parquet")
database = duckdb.connect()
database.execute(f"create type species as enum ({', '.join(repr(name) for name in NAMES[::-1])})")
database.register("frame", frame.to_arrow())
result = database.execute("select logits, label::species as label from frame").arrow()
result = result.read_all() if hasattr(result, "read_all") else result
feather.write_feather(result, f"{directory}/duckdb-enum.arrow", compression="uncompressed")
