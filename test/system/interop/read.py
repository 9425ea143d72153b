"""Reads softjac outputs with pyarrow, polars and DuckDB, and checks them against NumPy.

usage: read.py CASES.json     [{"input": path, "output": path, "keep": [names], "bad": [rows]}, …]
Prints one line per reader: `NAME: N outputs`, or `NAME: left out (reason)`.
"""
import json
import sys

import numpy as np
import pyarrow as pa


def logits(table):
    column = table["logits"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(table), -1).astype(np.float64)


def expected(o):
    """Softmax and blocks in extended precision, the winner's diagonal from the sum without it."""
    o = o.astype(np.longdouble)
    e = np.exp(o - o.max(1, keepdims=True))
    s = e.sum(1, keepdims=True)
    p = e / s
    J = -p[:, :, None] * p[:, None, :]
    for k in range(o.shape[1]):
        J[:, k, k] = p[:, k] * (np.delete(e, k, 1).sum(1) / s[:, 0])
    return p, J


def close(found, truth, dtype):
    rtol = 1e-15 if dtype == np.float64 else 1e-7
    np.testing.assert_allclose(found.astype(np.longdouble), truth, rtol=rtol, atol=0)


def storage(array):
    return array.storage if isinstance(array, pa.ExtensionArray) else array


def check_pyarrow(case):
    source = pa.ipc.open_file(case["input"]).read_all()
    with pa.memory_map(case["output"]) as mapped:
        reader = pa.ipc.open_file(mapped)
        table = reader.read_all()
        table.validate(full=True)
        mapped.seek(8)
        assert pa.ipc.open_stream(mapped).read_all().equals(table)
        for k in range(reader.num_record_batches):
            batch = reader.get_batch(k)
            for column in batch.columns:
                for buffer in storage(column).buffers():
                    assert buffer is None or buffer.size == 0 or buffer.address % 64 == 0
    assert table["row"].to_pylist() == list(range(len(source)))
    for name in case["keep"]:
        assert table[name].to_pylist() == source[name].to_pylist(), name
        assert table[name].type == source[name].type
    bad = case["bad"]
    assert [r for r, x in enumerate(table["softmax"].to_pylist()) if x is None] == bad
    assert table["jacobian"].null_count == len(bad)
    good = np.setdiff1d(np.arange(len(source)), bad)
    if len(good):
        p, J = expected(logits(source)[good])
        for name, truth in [("softmax", p), ("jacobian", J)]:
            values = storage(table[name].combine_chunks())
            flat = values.values.to_numpy().reshape(len(source), -1)[good]
            close(flat, truth.reshape(len(good), -1), flat.dtype)


def check_polars(case):
    import polars as pl

    frame = pl.read_ipc(case["output"], memory_map=False)
    table = pa.ipc.open_file(case["output"]).read_all()
    assert frame["row"].to_list() == table["row"].to_pylist()
    assert frame["softmax"].to_list() == table["softmax"].to_pylist()
    for name in case["keep"]:
        assert [None if x is None else str(x) for x in frame[name].to_list()] == [
            None if x is None else str(x) for x in table[name].to_pylist()
        ]


def check_duckdb(case):
    import duckdb

    result = pa.ipc.open_file(case["output"]).read_all()
    query = "select count(*), sum(list_sum(softmax::double[])), sum(list_sum(jacobian::double[])) from result"
    rows, ones, zeros = duckdb.sql(query).fetchone()
    good = len(result) - len(case["bad"])
    assert rows == len(result)
    if good > 0:
        assert abs(ones - good) < 1e-5 * good and abs(zeros) < 1e-5 * good


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
