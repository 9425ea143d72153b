"""Writes a sound file of every format that is read. usage: python sound.py FOLDER (needs pyarrow)

Every file has the same 40 rows of 4 logits in several batches; names say the format, and how it is stored.
"""
import json
import pathlib
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

folder = pathlib.Path(sys.argv[1])
ROWS, CLASSES = 40, 4
logits = np.array([[((7 * r + 5 * k) % 25 - 12) / 4 for k in range(CLASSES)] for r in range(ROWS)])
names = [None if r % 7 == 3 else "é" * (r % 3) + f"row {r}" for r in range(ROWS)]
split = pa.array([["train", "a category of its own"][r % 2] for r in range(ROWS)]).dictionary_encode()
table = pa.table({
    "id": pa.array(range(ROWS), pa.int64()),
    "name": names,
    "split": split,
    "logits": pa.array(logits.tolist(), pa.list_(pa.float64())),
})
fixed = table.set_column(3, "logits", pa.FixedSizeListArray.from_arrays(pa.array(logits.astype("f4").ravel()), CLASSES))
views = fixed.set_column(1, "name", pa.array(names, pa.string_view()))


def ipc(name, table, new=pa.ipc.new_file, codec=None):
    with new(folder / name, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(table, max_chunksize=15)


ipc("file lists.arrow", table)
ipc("file.arrow", fixed)
ipc("stream.arrows", fixed, pa.ipc.new_stream)
ipc("file views.arrow", views)
ipc("file lz4.arrow", fixed, codec="lz4")
ipc("file zstd.arrow", table, codec="zstd")
for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    for version in ["1.0", "2.0"]:
        for sums in [False, True]:
            name = f"{codec} v{version[0]}{' checksums' if sums else ''}.parquet"
            pq.write_table(table, folder / name, compression=codec, data_page_version=version, row_group_size=25,
                           data_page_size=100, write_batch_size=8, write_page_checksum=sums, use_dictionary=["name", "split"])
np.save(folder / "array.npy", logits)
np.savez(folder / "stored.npz", logits=logits, y=np.arange(ROWS))
np.savez_compressed(folder / "deflated.npz", logits=logits, y=np.arange(ROWS))
header = json.dumps({"logits": {"dtype": "F64", "shape": [ROWS, CLASSES], "data_offsets": [0, logits.nbytes]}})
header += " " * (-len(header) % 8)
(folder / "tensors.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode() + logits.tobytes())
