"""Checks an output against softmax and Jacobian computed here in NumPy's longdouble; exits 1 with a sentence.

usage: check.py IN.arrow OUT.arrow softjac|peer

All row numbers are checked, and the values of up to 2,000 rows: the first, the last and seeded random ones.
softjac is held to relative errors everywhere. A peer is held to less: it computes in the type of the logits, has no
row numbers, and takes the diagonal as p - p*p, whose error is relative to p, not to p(1 - p).
Prints {"rows": ..., "worst": largest error as a share of what is allowed, ...} as JSON.
"""
import json
import sys

import numpy as np
import pyarrow as pa

SAMPLE = 2000
TOLERANCE = {
    "softjac": {"float64": 1e-13, "float32": 1e-6},
    "peer": {"float64": 1e-12, "float32": 1e-5},
}


def fail(sentence):
    sys.exit(f"check failed: {sentence}")


def record_batches(path):
    """(first row, batch) of every record batch, mapped, not read."""
    reader = pa.ipc.open_file(pa.memory_map(path))
    start = 0
    for i in range(reader.num_record_batches):
        batch = reader.get_batch(i)
        yield start, batch
        start += batch.num_rows


def count_rows(path):
    return sum(batch.num_rows for _, batch in record_batches(path))


def take(path, name, rows):
    """The given rows (ascending) of a column of lists, as an array (rows, values)."""
    parts = []
    for start, batch in record_batches(path):
        column = batch.column(name)
        column = getattr(column, "storage", column)
        if column.null_count:
            fail(f"column {name} has {column.null_count} nulls in the batch that starts at row {start}")
        inside = rows[(rows >= start) & (rows < start + len(column))] - start
        if len(inside):
            parts.append(column.flatten().to_numpy().reshape(len(column), -1)[inside])
    return np.concatenate(parts)


def check_row_numbers(path):
    for start, batch in record_batches(path):
        got = batch.column("row").to_numpy()
        if not np.array_equal(got, np.arange(start, start + len(got))):
            fail(f"row numbers of the batch that starts at row {start} are not {start}, {start + 1}, ...")


def expected(logits):
    """p and J. The diagonal is p_i times the sum of the OTHER p_j: 1 - p_i would lose digits where p_i is near 1."""
    x = logits.astype(np.longdouble)
    e = np.exp(x - x.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    q = p.shape[1]
    off = ~np.eye(q, dtype=bool)
    jacobian = -p[:, :, None] * p[:, None, :]
    d = np.arange(q)
    jacobian[:, d, d] = p * (p[:, None, :] * off).sum(2)
    return p, jacobian


def share(name, got, want, scale, tolerance, rows):
    """Largest error as a share of what is allowed."""
    if not np.isfinite(got).all():
        fail(f"{name} has values that are not finite")
    error = np.abs(got - want) / scale / tolerance
    worst = float(error.max())
    if not worst <= 1:
        at = np.unravel_index(error.argmax(), error.shape)
        place = f"row {rows[at[0]]}, position {[int(k) for k in at[1:]]}"
        fail(f"{name}, {place}: expected {want[at]}, found {got[at]}; error {worst:.3g} times what is allowed")
    return worst


def check(src, dst, kind):
    total, found = count_rows(src), count_rows(dst)
    if total != found:
        fail(f"expected {total} rows, found {found}")
    if kind == "softjac":
        check_row_numbers(dst)
    rng = np.random.default_rng(1)
    ends = [0, total - 1]
    rows = np.unique(np.concatenate([ends, rng.integers(0, total, SAMPLE - len(ends))]))
    logits, p, jacobian = (take(path, name, rows) for path, name in [(src, "logits"), (dst, "softmax"), (dst, "jacobian")])
    dtype, q = logits.dtype, logits.shape[1]
    if p.dtype != dtype or jacobian.dtype != dtype:
        fail(f"expected {dtype}, found softmax {p.dtype} and jacobian {jacobian.dtype}")
    if p.shape[1] != q or jacobian.shape[1] != q * q:
        fail(f"expected {q} and {q * q} values a row, found {p.shape[1]} and {jacobian.shape[1]}")
    tolerance = TOLERANCE[kind][dtype.name]
    tiny = np.finfo(dtype).tiny
    worst = 0.0
    # A hundred rows at a time: 100 classes in longdouble take 160 kB a row.
    for s in range(0, len(rows), 100):
        part = slice(s, s + 100)
        want_p, want_j = expected(logits[part])
        scale_p, scale_j = np.maximum(want_p, tiny), np.maximum(np.abs(want_j), tiny)
        if kind == "peer":
            d = np.arange(q)
            scale_j[:, d, d] = scale_p
        got_j = jacobian[part].reshape(-1, q, q)
        worst = max(
            worst,
            share("softmax", p[part], want_p, scale_p, tolerance, rows[part]),
            share("jacobian", got_j, want_j, scale_j, tolerance, rows[part]),
        )
    return {"rows": total, "sampled": len(rows), "tolerance": tolerance, "worst": float(f"{worst:.3g}")}


if __name__ == "__main__":
    print(json.dumps(check(*sys.argv[1:4])))
