"""Makes the Parquet files of this folder, their twins in Arrow, and expected.json: what was given to the writers.

usage: python make.py      (needs pyarrow, polars, duckdb; the files here: pyarrow 25.0, polars 1.44, DuckDB 1.5)
"""
import base64
import datetime as dt
import json
import pathlib
from decimal import Decimal

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

HERE = pathlib.Path(__file__).parent
ROWS, CLASSES, GROUP = 60, 4, 25
# quarters between -3 and 3: float16 has them, too
LOGITS = np.array([[((7 * r + 5 * k) % 25 - 12) / 4 for k in range(CLASSES)] for r in range(ROWS)])
SPLITS = ["train", "test", "validation"]


def each(value, nulls=True):
    return [None if nulls and r % 3 == 0 else value(r) for r in range(ROWS)]


def lists(dtype, values=LOGITS):
    return pa.FixedSizeListArray.from_arrays(pa.array(values.astype(dtype).ravel()), CLASSES)


day = dt.date(2026, 1, 1)
instant = dt.datetime(2026, 1, 1, 12)
KEPT = {
    "id": pa.array(range(ROWS), pa.int64()),
    "label": pa.array([r % CLASSES for r in range(ROWS)], pa.int8()),
    "name": pa.array(each(lambda r: "né" * (r % 5)), pa.string()),
    # other values in every row group
    "split": pa.array(each(lambda r: SPLITS[r % 3 if r < GROUP else (r // 7) % 3])).dictionary_encode(),
    "seen": pa.array(each(lambda r: f"v{r}, longer than a view holds in itself"), pa.string_view()),
    "flag": pa.array(each(lambda r: r % 2 == 0), pa.bool_()),
    "at": pa.array(each(lambda r: instant + dt.timedelta(seconds=r)), pa.timestamp("us", "UTC")),
    "day": pa.array(each(lambda r: day + dt.timedelta(days=r)), pa.date32()),
    "amount": pa.array(each(lambda r: Decimal(r) / 4), pa.decimal128(12, 2)),
    "half": pa.array(np.array([r / 4 for r in range(ROWS)], np.float16)),
    "weight": pa.array(each(lambda r: r / 7), pa.float64()),
    "code": pa.array([bytes([r, r + 1, r + 2]) for r in range(ROWS)], pa.binary(3)),
}


def as_json(column):
    """Values as JSON has them: milliseconds since 1970 for times and days, hexadecimal digits for bytes."""
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms")).cast(pa.int64())
    elif pa.types.is_decimal(column.type):
        return [None if v is None else float(v) for v in column.to_pylist()]
    elif pa.types.is_fixed_size_binary(column.type):
        return [v.hex() for v in column.to_pylist()]
    elif pa.types.is_float16(column.type):
        return [float(v) for v in column.to_pylist()]
    return column.to_pylist()


def parquet(name, table, **options):
    pq.write_table(table, HERE / f"{name}.parquet", **{"row_group_size": GROUP, "data_page_size": 64, **options})


def twins(name, table):
    """The same table in both formats: what is said of the one must hold for the other."""
    parquet(name, table)
    with pa.ipc.new_file(HERE / f"{name}.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=GROUP)


full = pa.table({**KEPT, "logits": lists(np.float32)})
for codec in ["none", "snappy", "gzip", "zstd", "lz4", "brotli"]:
    parquet(f"pyarrow-{codec}", full, compression=codec)
parquet("pyarrow-small", full.select(["id", "name", "logits"]), compression="none")
parquet("pyarrow-checksums", full.select(["id", "name", "logits"]), write_page_checksum=True)
parquet("pyarrow-v2", full, compression="zstd", data_page_version="2.0", write_page_checksum=True, write_page_index=True,
        use_dictionary=False, use_byte_stream_split=["weight", "logits.list.element"],
        column_encoding={"id": "DELTA_BINARY_PACKED", "name": "DELTA_BYTE_ARRAY"})
parquet("pyarrow-no-arrow-schema", full, store_schema=False)
parquet("pyarrow-columns", pa.table({**KEPT, **{f"logit_{k}": LOGITS[:, k] for k in range(CLASSES)}}))
parquet("pyarrow-no-rows", full.slice(0, 0))
with pq.ParquetWriter(HERE / "pyarrow-no-row-groups.parquet", full.schema):
    pass
many = pa.table({f"logit_{k}": np.full(2_000_000, k / 2) for k in range(2)})
parquet("two-million-rows", many, compression="zstd", row_group_size=1_000_000, data_page_size=2**20)

none = np.array([r % 9 == 4 for r in range(ROWS)])
twins("float16", pa.table({"logits": lists(np.float16)}))
twins("int32", pa.table({"logits": lists(np.int32, 4 * LOGITS)}))
twins("null-rows", pa.table({"logits": pa.FixedSizeListArray.from_arrays(pa.array(LOGITS.ravel()), CLASSES, mask=pa.array(none))}))
twins("null-values", pa.table({"logits": pa.FixedSizeListArray.from_arrays(pa.array(LOGITS.ravel(), mask=np.repeat(none, CLASSES)), CLASSES)}))
twins("large-list", pa.table({"logits": lists(np.float32).cast(pa.large_list(pa.float32()))}))
twins("ragged", pa.table({"logits": pa.array([list(row[: 3 if r == 41 else 4]) for r, row in enumerate(LOGITS.tolist())])}))
twins("bad-row", pa.table({"logits": lists(np.float64, np.where(none[:, None], np.nan, LOGITS))}))
twins("two-candidates", pa.table({"a": lists(np.float32), "b": lists(np.float32)}))

frame = pl.DataFrame({
    "id": range(ROWS),
    "name": KEPT["name"].to_pylist(),
    "split": pl.Series(KEPT["split"].to_pylist()).cast(pl.Categorical),
    "kind": pl.Series([SPLITS[r % 3] for r in range(ROWS)]).cast(pl.Enum(SPLITS)),
    "logits": pl.Series(LOGITS.astype(np.float32)),
})
frame.write_parquet(HERE / "polars.parquet", row_group_size=GROUP)
halves = pl.DataFrame({"half": KEPT["half"], "logits": pl.Series(LOGITS).cast(pl.Array(pl.Float16, CLASSES))})
halves.write_parquet(HERE / "polars-half.parquet", row_group_size=GROUP)
plain = pa.table({"id": KEPT["id"], "name": KEPT["name"], "logits": lists(np.float32)})
duckdb.sql(f"COPY (SELECT id, name, logits::FLOAT[] AS logits FROM plain) TO '{HERE}/duckdb.parquet' (FORMAT parquet, ROW_GROUP_SIZE 25)")



class OpenKeys(pe.KmsClient):
    """Keeps no secret: that the file is encrypted is what counts."""

    def __init__(self, _):
        pe.KmsClient.__init__(self)

    def wrap_key(self, key, _):
        return base64.b64encode(key)

    def unwrap_key(self, key, _):
        return base64.b64decode(key)


for name, plaintext in {"encrypted": False, "encrypted-columns": True}.items():
    keys = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["logits.list.element"]}, plaintext_footer=plaintext)
    properties = pe.CryptoFactory(OpenKeys).file_encryption_properties(pe.KmsConnectionConfig(), keys)
    parquet(name, pa.table({"logits": lists(np.float32)}), encryption_properties=properties)

kept = {name: as_json(column) for name, column in KEPT.items()}
kept["kind"] = [SPLITS[r % 3] for r in range(ROWS)]
(HERE / "expected.json").write_text(json.dumps({"logits": LOGITS.tolist(), "kept": kept}) + "\n")
