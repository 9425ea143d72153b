"""Reads softjac outputs of every layout, plain and compressed, files and streams, with pyarrow, polars and DuckDB.

usage: layouts.py CASES.json     [{"input": path, "output": path, "layout": name, "stream": bool, "least": number}, …]
`least`: entries of |value| under it are left out. Blocks are put together from the columns and checked against NumPy in
extended precision; the other readers must find in every column what pyarrow finds.
Prints one line per reader: `NAME: N outputs`, or `NAME: left out (reason)`.
"""
import json
import sys

import numpy as np
import pyarrow as pa


def read(case):
    if case["stream"]:
        with pa.OSFile(case["output"]) as file:
            table = pa.ipc.open_stream(file).read_all()
    else:
        table = pa.ipc.open_file(case["output"]).read_all()
    table.validate(full=True)
    return table


def flat(column):
    array = column.combine_chunks()
    array = array.storage if isinstance(array, pa.ExtensionArray) else array
    return array.flatten().to_numpy(zero_copy_only=False)


def truth(case):
    column = pa.ipc.open_file(case["input"]).read_all()["logits"]
    o = flat(column).reshape(len(column), -1).astype(np.longdouble)
    e = np.exp(o - o.max(1, keepdims=True))
    s = e.sum(1, keepdims=True)
    p = e / s
    J = -p[:, :, None] * p[:, None, :]
    for k in range(o.shape[1]):
        J[:, k, k] = p[:, k] * (np.delete(e, k, 1).sum(1) / s[:, 0])
    return J


def blocks(table, layout, M, Q):
    """What the file says of the blocks, [M, Q, Q]."""
    B = np.zeros((M, Q, Q))
    if layout == "bsr":
        return flat(table["jacobian"]).reshape(M, Q, Q)
    if layout == "packed":
        i, j = np.triu_indices(Q)
        B[:, i, j] = B[:, j, i] = flat(table["jacobian"]).reshape(M, -1)
    elif layout == "csr":
        counts = [len(x) for x in table["indices"].to_pylist()]
        at = flat(table["indices"])
        B.reshape(M, -1)[np.repeat(np.arange(M), counts), at] = flat(table["values"])
    elif layout == "coo":
        row, i, j, value = (table[name].to_numpy() for name in ["row", "i", "j", "value"])
        B[row, i, j] = value
    elif layout == "factored":
        p = flat(table["softmax"]).reshape(M, Q).astype(float)
        a, tail = table["argmax"].to_numpy(), table["tail"].to_numpy()
        B = -p[:, :, None] * p[:, None, :]
        d = p * (1 - p)
        d[np.arange(M), a] = p[np.arange(M), a] * (tail / (1 + tail))
        B[:, np.arange(Q), np.arange(Q)] = d
    elif layout == "dense":
        slabs = flat(table["jacobian"]).reshape(M, Q, M, Q)
        for q in range(M):
            B[q] = slabs[q, :, q, :]
        assert np.count_nonzero(slabs) == np.count_nonzero(B)
    else:
        raise ValueError(layout)
    return B


def check_pyarrow(case):
    table = read(case)
    J = truth(case)
    M, Q, _ = J.shape
    found = blocks(table, case["layout"], M, Q)
    narrow = table.schema.metadata[b"softjac.dtype"] == b"float32"
    kept = np.abs(J) >= case["least"]
    # at the threshold itself rounding decides
    clear = np.abs(np.abs(J) - case["least"]) > 1e-6 * np.abs(J)
    np.testing.assert_allclose(
        found[clear].astype(np.longdouble),
        np.where(kept, J, 0)[clear],
        rtol=3e-7 if narrow else 3e-15,
        atol=1e-45 if narrow else 0,
    )


def columns(table):
    return {name: table[name].to_pylist() for name in table.column_names}


def check_polars(case):
    import polars as pl

    read_it = pl.read_ipc_stream if case["stream"] else lambda path: pl.read_ipc(path, memory_map=False)
    frame = read_it(case["output"])
    assert frame.to_dict(as_series=False) == columns(read(case))


def check_duckdb(case):
    import duckdb

    result = read(case)
    names = ", ".join(f'"{name}"' for name in result.column_names)
    found = duckdb.sql(f"select {names} from result").fetchall()
    expected = [tuple(row.values()) for row in result.to_pylist()]
    same = [tuple(list(x) if isinstance(x, tuple) else x for x in row) for row in found]
    assert same == expected


def main():
    cases = json.load(open(sys.argv[1]))
    for check in [check_pyarrow, check_polars, check_duckdb]:
        name = check.__name__.removeprefix("check_")
        try:
            for case in cases:
                check(case)
        except ImportError as error:
            print(f"{name}: left out ({error})")
            continue
        print(f"{name}: {len(cases)} outputs")


main()
