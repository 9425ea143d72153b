"""Largest relative errors, in units of 2^-52, of softmax and of its Jacobian: NumPy, PyTorch, JAX and a softjac output.

usage: accuracy.py generate DIGITS.arrow OUTDIR          writes one float64 input per kind of logits
       accuracy.py measure IN.arrow OUT.arrow            prints JSON: {tool: [softmax, diagonal, off-diagonal]}, and for softjac
                                                         "ulp", the same in ulp, and "correct", shares of correctly rounded values

The truth is 60-digit arithmetic (mpmath). Values whose truth is below 2^-1022 are measured in units of 2^-1074.
"""
import json
import sys

import mpmath
import numpy as np
import pyarrow as pa

mpmath.mp.dps = 60


def write(path, logits):
    values = pa.FixedSizeListArray.from_arrays(pa.array(logits.ravel()), logits.shape[1])
    table = pa.table({"logits": values})
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def column(path, name):
    chunked = pa.ipc.open_file(path).read_all()[name].combine_chunks()
    storage = chunked.storage if hasattr(chunked, "storage") else chunked
    return storage.flatten().to_numpy()


def generate(digits, outdir):
    rng = np.random.default_rng(1)
    trained = column(digits, "logits").astype(np.float64).reshape(-1, 10)
    write(f"{outdir}/digits.arrow", trained)
    write(f"{outdir}/normal.arrow", rng.standard_normal((300, 10)) * 3)
    write(f"{outdir}/uniform.arrow", rng.uniform(-300, 300, (300, 10)))


def closed_form(p):
    J = -p[:, :, None] * p[:, None, :]
    d = np.arange(p.shape[1])
    J[:, d, d] += p
    return J


def numpy_results(o):
    e = np.exp(o - o.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return p, closed_form(p)


def torch_results(o):
    import torch
    from torch.func import jacrev, vmap

    x = torch.from_numpy(o.copy())
    soft = lambda r: torch.softmax(r, -1)
    return soft(x).numpy(), vmap(jacrev(soft))(x).numpy()


def jax_results(o):
    import jax

    jax.config.update("jax_enable_x64", True)
    return np.asarray(jax.nn.softmax(o)), np.asarray(jax.vmap(jax.jacrev(jax.nn.softmax))(o))


def truth(row):
    values = [mpmath.mpf(float(x)) for x in row]
    top = max(values)
    e = [mpmath.exp(x - top) for x in values]
    total = mpmath.fsum(e)
    p = [x / total for x in e]
    rest = [mpmath.fsum(e[:i] + e[i + 1 :]) / total for i in range(len(e))]
    return p, [[p[i] * rest[i] if i == j else -p[i] * p[j] for j in range(len(p))] for i in range(len(p))]


def error(value, true):
    unit = max(abs(true) * mpmath.mpf(2) ** -52, mpmath.mpf(2) ** -1074)
    return float(abs(mpmath.mpf(float(value)) - true) / unit)


def error_in_ulp(value, true):
    _, exponent = mpmath.frexp(true)  # true = f·2^exponent, 1/2 <= |f| < 1
    return float(abs(mpmath.mpf(float(value)) - true) / mpmath.mpf(2) ** max(exponent - 53, -1074))


def measure(source, output):
    o = column(source, "logits").reshape(-1, 10)
    results = {
        "numpy": numpy_results(o),
        "torch": torch_results(o),
        "jax": jax_results(o),
        "softjac": (column(output, "softmax").reshape(-1, 10), column(output, "jacobian").reshape(-1, 10, 10)),
    }
    worst = {name: [0.0, 0.0, 0.0] for name in results}
    ulps = [[], [], []]
    for r, row in enumerate(o):
        p, J = truth(row)
        for name, (got_p, got_J) in results.items():
            w = worst[name]
            for i in range(10):
                w[0] = max(w[0], error(got_p[r, i], p[i]))
                for j in range(10):
                    k = 1 if i == j else 2
                    w[k] = max(w[k], error(got_J[r, i, j], J[i][j]))
                if name == "softjac":
                    ulps[0].append(error_in_ulp(got_p[r, i], p[i]))
                    for j in range(10):
                        ulps[1 if i == j else 2].append(error_in_ulp(got_J[r, i, j], J[i][j]))
    worst["ulp"] = [max(errors) for errors in ulps]
    worst["correct"] = [sum(error <= 0.5 for error in errors) / len(errors) for errors in ulps]
    print(json.dumps(worst))


if __name__ == "__main__":
    {"generate": generate, "measure": measure}[sys.argv[1]](*sys.argv[2:])
