"""Files of Jacobian blocks as pyarrow writes them, without a word of metadata; argument: folder."""

import sys

import numpy as np
import pyarrow as pa

folder = sys.argv[1]
M, Q = 11, 4
logits = np.sin(np.arange(M * Q, dtype=float).reshape(M, Q) * 1.7)
p = np.exp(logits - logits.max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
J = np.einsum("rk,kj->rkj", p, np.eye(Q)) - np.einsum("ri,rj->rij", p, p)
np.asarray(J).tofile(f"{folder}/blocks.bin")
row = pa.array(np.arange(M), pa.int64())
name = pa.array([f"example {r}" for r in range(M)])


def write(file, columns, chunk=4, **options):
    table = pa.table(columns)
    with pa.OSFile(f"{folder}/{file}", "wb") as sink:
        with pa.ipc.new_file(sink, table.schema, **options) as writer:
            writer.write_table(table, max_chunksize=chunk)


def fixed(values, size, mask=None):
    # The values under a null are null too where they are made from Python lists.
    rows = [None if mask is not None and mask[r] else list(values[r]) for r in range(len(values))]
    return pa.array(rows, pa.list_(pa.float64(), size))


flat = J.reshape(M, Q * Q)
i, j = np.triu_indices(Q)
null = np.arange(M) % 5 == 2
tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(J)
write("bsr.arrow", {"name": name, "jacobian": fixed(flat, Q * Q), "row": row})
write("null.arrow", {"row": row, "jacobian": fixed(flat, Q * Q, null)})
write("sliced.arrow", {"row": row[3:], "jacobian": fixed(flat, Q * Q, null)[3:]})
write("tensor.arrow", {"row": row, "jacobian": tensor})
write("list.arrow", {"row": row, "jacobian": pa.array([list(x) for x in flat], pa.list_(pa.float64()))})
write("packed.arrow", {"row": row, "jacobian": fixed(J[:, i, j], Q * (Q + 1) // 2)})
keep = np.abs(flat) > 0.05
csr = {
    "row": row,
    "values": pa.array([list(x[k]) for x, k in zip(flat, keep)], pa.list_(pa.float64())),
    "indices": pa.array([list(np.flatnonzero(k)) for k in keep], pa.list_(pa.int32())),
}
write("csr.arrow", csr)
r, at = np.nonzero(keep)
coo = {
    "row": pa.array(r, pa.int64()),
    "i": pa.array(at // Q, pa.int32()),
    "j": pa.array(at % Q, pa.int32()),
    "value": pa.array(flat[keep]),
}
write("coo.arrow", coo, chunk=7)
write("compressed.arrow", {"row": row, "jacobian": fixed(flat, Q * Q)}, options=pa.ipc.IpcWriteOptions(compression="lz4"))
write("large.arrow", {"row": row, "jacobian": pa.array([list(x) for x in flat], pa.large_list(pa.float64()))})
