"""Checks an output against softmax and Jacobian computed here in NumPy's longdouble; exits 1 with a sentence.

usage: check.py IN.arrow OUT.arrow softjac|peer [bsr|packed|softmax|vjp|coo]

All row numbers are checked, and the values of up to 2,000 rows: the first, the last and seeded random ones.
softjac is held to relative errors everywhere. A peer is held to less: it computes in the type of the logits, has no
row numbers, and takes the diagonal as p - p*p, whose error is relative to p, not to p(1 - p).
Prints {"rows": ..., "worst": largest error as a share of what is allowed, ...} as JSON.
"""
import glob
import json
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SAMPLE = 2000
TOLERANCE = {
    "softjac": {"float64": 1e-13, "float32": 1e-6},
    "peer": {"float64": 1e-12, "float32": 1e-5},
}


def fail(sentence):
    sys.exit(f"check failed: {sentence}")


def record_batches(path):
    """(first row, batch) of every record batch, mapped, not read; of a folder those of its parts, in order."""
    start = 0
    for part in parts_of(path):
        for batch in batches_of(part):
            yield start, batch
            start += batch.num_rows


def batches_of(path):
    with open(path, "rb") as f:
        if f.read(4) == b"PAR1":
            return pq.ParquetFile(path).iter_batches()
    reader = pa.ipc.open_file(pa.memory_map(path))
    return map(reader.get_batch, range(reader.num_record_batches))


def parts_of(path):
    if not os.path.isdir(path):
        return [path]
    return sorted(glob.glob(os.path.join(path, "part-*.arrow")))


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


def errors(results, kind, got, want, tiny):
    """(name, found, wanted, what errors are relative to) of every column."""
    logits, p, jacobian = want
    q = p.shape[1]
    if results in ("bsr", "packed", "softmax"):
        yield "softmax", got["softmax"], p, np.maximum(p, tiny)
    if results in ("bsr", "packed"):
        scale = np.maximum(np.abs(jacobian), tiny)
        d = np.arange(q)
        if kind == "peer":
            scale[:, d, d] = np.maximum(p, tiny)
        found = got["jacobian"]
        if results == "packed":
            i, j = np.triu_indices(q)
            yield "jacobian", found, jacobian[:, i, j], scale[:, i, j]
        else:
            yield "jacobian", found.reshape(-1, q, q), jacobian, scale
    if results == "vjp":
        g = got["cotangent"].astype(np.longdouble)
        mean = (p * g).sum(1, keepdims=True)
        size = (p * np.abs(g)).sum(1, keepdims=True)
        yield "vjp", got["vjp"], p * (g - mean), np.maximum(p * (np.abs(g) + size), tiny)


COLUMNS = {
    "bsr": {"softmax": lambda q: q, "jacobian": lambda q: q * q},
    "packed": {"softmax": lambda q: q, "jacobian": lambda q: q * (q + 1) // 2},
    "softmax": {"softmax": lambda q: q},
    "vjp": {"vjp": lambda q: q},
}


def check_entries(src, dst, kind, threshold=1e-8, sample=40):
    """coo: of some rows, that the entries are those of at least the threshold, give or take what rounding may."""
    total = count_rows(src)
    rng = np.random.default_rng(1)
    rows = np.unique(np.concatenate([[0, total - 1], rng.integers(0, total, sample)]))
    logits = take(src, "logits", rows)
    dtype, q = logits.dtype, logits.shape[1]
    found = {row: [] for row in rows}
    entries, last = 0, 0
    for _, batch in record_batches(dst):
        row = batch.column("row").to_numpy()
        if len(row) and (row[0] < last or (np.diff(row) < 0).any()):
            fail("the column row does not ascend")
        last = row[-1] if len(row) else last
        entries += len(row)
        for wanted in rows:
            part = slice(*np.searchsorted(row, [wanted, wanted + 1]))
            if part.start < part.stop:
                found[wanted].append([batch.column(name).to_numpy()[part] for name in ("i", "j", "value")])
    tolerance = TOLERANCE[kind][dtype.name]
    worst = 0.0
    for n, row in enumerate(rows):
        _, (jacobian,) = expected(logits[n : n + 1])
        got = np.zeros((q, q))
        parts = found[row]
        i, j, value = (np.concatenate([part[k] for part in parts]) if parts else [] for k in range(3))
        got[i, j] = value
        size = np.abs(jacobian)
        if ((np.abs(got) > 0) != (size >= threshold))[np.abs(size - threshold) > 1e-6 * threshold].any():
            fail(f"row {row}: not the entries of at least {threshold}")
        kept = np.abs(got) > 0
        scale = np.maximum(size, 0 if kind == "softjac" else size.max(1, keepdims=True))
        worst = max(worst, share("value", got[kept][None], jacobian[kept][None], scale[kept][None], tolerance, [row]))
    return {"rows": total, "entries": entries, "sampled": len(rows), "worst": float(f"{worst:.3g}")}


def check(src, dst, kind, results="bsr"):
    if results == "coo":
        return check_entries(src, dst, kind)
    total, found = count_rows(src), count_rows(dst)
    if total != found:
        fail(f"expected {total} rows, found {found}")
    if kind == "softjac":
        check_row_numbers(dst)
    rng = np.random.default_rng(1)
    ends = [0, total - 1]
    rows = np.unique(np.concatenate([ends, rng.integers(0, total, SAMPLE - len(ends))]))
    logits = take(src, "logits", rows)
    dtype, q = logits.dtype, logits.shape[1]
    got = {name: take(dst, name, rows) for name in COLUMNS[results]}
    for name, values in COLUMNS[results].items():
        if got[name].dtype != dtype or got[name].shape[1] != values(q):
            fail(f"expected {values(q)} values of {dtype} in {name}, found {got[name].shape[1]} of {got[name].dtype}")
    if results == "vjp":
        got["cotangent"] = take(src, "cotangent", rows)
    tolerance = TOLERANCE[kind][dtype.name]
    tiny = np.finfo(dtype).tiny
    worst = 0.0
    # A hundred rows at a time: 100 classes in longdouble take 160 kB a row.
    for s in range(0, len(rows), 100):
        part = slice(s, s + 100)
        want = (logits[part], *expected(logits[part]))
        found = {name: values[part] for name, values in got.items()}
        for name, found_values, wanted, scale in errors(results, kind, found, want, tiny):
            worst = max(worst, share(name, found_values, wanted, scale, tolerance, rows[part]))
    return {"rows": total, "sampled": len(rows), "tolerance": tolerance, "worst": float(f"{worst:.3g}")}


if __name__ == "__main__":
    print(json.dumps(check(*sys.argv[1:5])))
