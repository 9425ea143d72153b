"""Average marginal effects with errors, or the Fisher information, as one writes them with NumPy, one record batch at a time.

usage: effects.py make IN.arrow ROWS CLASSES    writes x_0 … x_8, y, g (5,000 groups) and beside it IN.arrow.B.npy, .V.npy
       effects.py ame|fisher IN.arrow OUT.npy   writes estimates and standard errors, or the Fisher information
       effects.py check ame|fisher IN.arrow OUT.arrow   compares softjac's output with the same computation in longdouble
"""
import sys

import numpy as np
import pyarrow as pa

FEATURES = 9


def make(path, rows, classes):
    rng = np.random.default_rng(0)
    b = rng.standard_normal((FEATURES + 1, classes - 1)) / 2
    names = [f"x_{k}" for k in range(FEATURES)]
    schema = pa.schema([(name, pa.float64()) for name in names] + [("y", pa.int32()), ("g", pa.int32())])
    fisher = 0
    with pa.ipc.new_file(path, schema) as writer:
        for start in range(0, rows, 65536):
            n = min(65536, rows - start)
            x = rng.standard_normal((n, FEATURES))
            p = softmax(np.column_stack([np.ones(n), x]), b)
            y = (p.cumsum(1) < rng.random((n, 1))).sum(1).clip(0, classes - 1)
            columns = [*x.T, y.astype(np.int32), rng.integers(0, 5000, n, dtype=np.int32)]
            writer.write_batch(pa.record_batch([pa.array(c) for c in columns], schema=schema))
            fisher = fisher + information(np.column_stack([np.ones(n), x]), p)
    k = FEATURES + 1
    np.save(f"{path}.B.npy", b)
    np.save(f"{path}.V.npy", np.linalg.inv(fisher[k:, k:]))


def softmax(x, b):
    o = x @ np.column_stack([np.zeros(len(b)), b])
    o -= o.max(1, keepdims=True)
    e = np.exp(o)
    return e / e.sum(1, keepdims=True)


def information(x, p):
    """Sum of J ⊗ x xᵀ, class-major."""
    q, k = p.shape[1], x.shape[1]
    out = np.zeros((q * k, q * k), dtype=p.dtype)
    for i in range(q):
        for j in range(i, q):
            w = p[:, i] * ((i == j) - p[:, j])
            block = (x * w[:, None]).T @ x
            out[i * k : (i + 1) * k, j * k : (j + 1) * k] = block
            out[j * k : (j + 1) * k, i * k : (i + 1) * k] = block.T
    return out


def batches(path, dtype=np.float64):
    reader = pa.ipc.open_file(pa.memory_map(path))
    for i in range(reader.num_record_batches):
        batch = reader.get_batch(i)
        x = [batch.column(k).to_numpy() for k in range(FEATURES)]
        yield np.column_stack([np.ones(batch.num_rows), *x]).astype(dtype)


def ame(path, dtype=np.float64):
    """Effects [classes, features] and their standard errors by the delta method."""
    b, v = np.load(f"{path}.B.npy").astype(dtype), np.load(f"{path}.V.npy").astype(dtype)
    full = np.column_stack([np.zeros(len(b), dtype), b])
    k, q = full.shape
    rows, jacobian, derivative = 0, np.zeros((q, q), dtype), np.zeros((q, k, q, k), dtype)
    for x in batches(path, dtype):
        p = softmax(x, b)
        rows += len(x)
        jacobian += np.diag(p.sum(0)) - p.T @ p
        mean = p @ full.T
        for j in range(q):
            m = p[:, j : j + 1] * (full[:, j] - mean)
            derivative[j, :, j] += m.T @ x
            for c in range(q):
                term = (p[:, c : c + 1] * m).T @ x
                derivative[j, :, c] -= term
                derivative[c, :, j] -= term
    jacobian /= rows
    derivative = derivative / rows + np.einsum("jc,kr->jkcr", jacobian, np.eye(k, dtype=dtype))
    d = derivative[:, :, 1:].reshape(q * k, -1)
    return jacobian @ full.T, np.sqrt(((d @ v) * d).sum(1)).reshape(q, k)


def fisher(path, dtype=np.float64):
    b = np.load(f"{path}.B.npy").astype(dtype)
    return sum(information(x, softmax(x, b)) for x in batches(path, dtype))


def check(what, path, output):
    table = pa.ipc.open_file(output).read_all()
    if what == "fisher":
        found, expected = np.array(table["fisher"][0].as_py()), fisher(path, np.longdouble).ravel()
        pairs = [(found, expected, np.abs(expected).max())]
    else:
        estimate, error = (part[:, 1:].ravel() for part in ame(path, np.longdouble))
        pairs = [
            (np.array(table[name]), expected, np.abs(expected).max())
            for name, expected in (("estimate", estimate), ("std_error", error))
        ]
    worst = max(float(np.abs(found - expected).max() / scale) for found, expected, scale in pairs)
    if not worst < 1e-11:
        sys.exit(f"check failed: {what} differs by {worst} of the largest value")
    print(f'{{"worst": {worst}}}')


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    if command == "make":
        make(words[0], int(words[1]), int(words[2]))
    elif command == "check":
        check(*words)
    else:
        np.save(words[1], ame(words[0])[1] if command == "ame" else fisher(words[0]))
