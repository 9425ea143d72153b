"""What a user would otherwise run: softmax and its Jacobian blocks in NumPy, PyTorch and JAX, Arrow file to Arrow file.

usage: peers.py PEER IN.arrow OUT.arrow

IN has a FixedSizeList column `logits` (float32 or float64); OUT gets `softmax` and `jacobian`, or what is said. Peers:
  numpy-bsr     closed form, chunked to cache size, the block buffer allocated once
  torch-closed  the same closed form in PyTorch, on all cores
  torch-jacrev  torch.func.vmap(jacrev(softmax)), on all cores
  jax-jacrev    jax.jit(vmap(jacrev(softmax))), 64-bit enabled
  numpy-softmax `softmax` alone
  numpy-vjp     `vjp`: p * (g - <g, p>), with the cotangents g in column `cotangent`
  numpy-coo     the entries with |value| >= 1e-8, as row, i, j, value: whole blocks, then nonzero
"""
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def batches(path, column="logits"):
    """The column's record batches as (rows, classes) arrays: of Arrow mapped, not read; of Parquet decoded by all cores."""
    with open(path, "rb") as f:
        is_parquet = f.read(4) == b"PAR1"
    if is_parquet:
        for batch in pq.ParquetFile(path).iter_batches(columns=[column]):
            values = batch.column(0).flatten().to_numpy()
            yield values.reshape(batch.num_rows, -1)
        return
    with pa.memory_map(path) as m, pa.ipc.open_file(m) as r:
        k = r.schema.get_field_index(column)
        q = r.schema.field(k).type.list_size
        for i in range(r.num_record_batches):
            yield r.get_batch(i).column(k).flatten().to_numpy().reshape(-1, q)


def fsl(a):
    """An array whose first axis is rows, as a FixedSizeList array."""
    return pa.FixedSizeListArray.from_arrays(pa.array(a.reshape(-1)), a.size // len(a))


def chunk_rows(q, width):
    """Rows whose blocks take 8 MiB, 8192 at most."""
    return max(1, min(8192, (8 << 20) // (q * q * width)))


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def write(path, tables):
    writer = None
    with pa.OSFile(path, "wb") as f:
        for columns in tables:
            batch = pa.record_batch(list(columns.values()), names=list(columns))
            writer = writer or pa.ipc.new_file(f, batch.schema)
            writer.write_batch(batch)
        writer.close()


def numpy_bsr(src):
    for X in batches(src):
        q = X.shape[1]
        d = np.arange(q)
        rows = chunk_rows(q, X.itemsize)
        J = np.empty((rows, q, q), X.dtype)
        for s in range(0, len(X), rows):
            p = softmax(X[s : s + rows])
            j = J[: len(p)]
            np.multiply(-p[:, :, None], p[:, None, :], out=j)
            j[:, d, d] += p
            yield {"softmax": fsl(p), "jacobian": fsl(j)}


def torch_bsr(src, jacrev):
    import torch
    from torch.func import jacrev as jr
    from torch.func import vmap

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    auto = vmap(jr(lambda o: torch.softmax(o, -1)))
    for X in batches(src):
        X = torch.from_numpy(X.copy())
        rows = chunk_rows(X.shape[1], X.element_size())
        for s in range(0, len(X), rows):
            x = X[s : s + rows]
            p = torch.softmax(x, -1)
            j = auto(x) if jacrev else torch.diag_embed(p) - p.unsqueeze(2) * p.unsqueeze(1)
            yield {"softmax": fsl(p.numpy()), "jacobian": fsl(j.contiguous().numpy())}


def jax_bsr(src):
    import jax

    jax.config.update("jax_enable_x64", True)
    f = jax.jit(lambda x: (jax.nn.softmax(x), jax.vmap(jax.jacrev(jax.nn.softmax))(x)))
    for X in batches(src):
        rows = chunk_rows(X.shape[1], X.itemsize)
        for s in range(0, len(X), rows):
            p, j = f(X[s : s + rows])
            yield {"softmax": fsl(np.asarray(p)), "jacobian": fsl(np.asarray(j))}


def numpy_softmax(src):
    for x in batches(src):
        for s in range(0, len(x), 8192):
            yield {"softmax": fsl(softmax(x[s : s + 8192]))}


def numpy_vjp(src):
    for x, g in zip(batches(src), batches(src, "cotangent")):
        for s in range(0, len(x), 8192):
            p, v = softmax(x[s : s + 8192]), g[s : s + 8192]
            yield {"vjp": fsl(p * (v - (v * p).sum(1, keepdims=True)))}


def numpy_coo(src, threshold=1e-8):
    row = 0
    for x in batches(src):
        q = x.shape[1]
        step, d = chunk_rows(q, x.itemsize), np.arange(q)
        for s in range(0, len(x), step):
            p = softmax(x[s : s + step])
            block = -p[:, :, None] * p[:, None, :]
            block[:, d, d] += p
            r, i, j = np.nonzero(np.abs(block) >= threshold)
            columns = {"row": r + row, "i": i.astype(np.int32), "j": j.astype(np.int32), "value": block[r, i, j]}
            yield {name: pa.array(values) for name, values in columns.items()}
            row += len(p)


PEERS = {
    "numpy-coo": numpy_coo,
    "numpy-softmax": numpy_softmax,
    "numpy-vjp": numpy_vjp,
    "numpy-bsr": numpy_bsr,
    "torch-closed": lambda src: torch_bsr(src, False),
    "torch-jacrev": lambda src: torch_bsr(src, True),
    "jax-jacrev": jax_bsr,
}

if __name__ == "__main__":
    peer, src, dst = sys.argv[1:4]
    write(dst, PEERS[peer](src))
