"""Nested columns for tests of copied columns, and a check of the outputs.

usage: python nested.py make DIRECTORY SEED     writes files of record batches with random nested columns, and cases.json
       python nested.py parquet DIRECTORY       the same with Parquet files
       python nested.py overlapping DIRECTORY   writes overlapping.arrow: 100 list views of the same 2^26 nulls
       python nested.py check DIRECTORY         compares the columns c… of each output with those of its input
"""
import decimal
import json
import pathlib
import random
import sys

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

FILES = 24
SIMPLE = [pa.int8(), pa.int64(), pa.float32(), pa.bool_(), pa.utf8(), pa.large_utf8(), pa.binary(), pa.string_view(), pa.binary(3), pa.null(), pa.decimal128(20, 3)]
CODED = [pa.utf8(), pa.int32(), pa.string_view(), pa.bool_(), pa.binary(2)]


def nested_type(r, depth, kind):
    """A random type; `kind` chooses the outermost."""
    inner = lambda: nested_type(r, depth - 1, r.randrange(11)) if depth > 0 else r.choice(SIMPLE)
    match kind:
        case 0: return pa.list_(inner())
        case 1: return pa.large_list(inner())
        case 2: return pa.list_(inner(), r.randrange(1, 4))
        case 3: return pa.list_view(inner())
        case 4: return pa.large_list_view(inner())
        case 5: return pa.struct([(f"f{k}", inner()) for k in range(r.randrange(1, 4))])
        case 6: return pa.run_end_encoded(r.choice([pa.int16(), pa.int32(), pa.int64()]), r.choice(SIMPLE[:-2]))
        case 7: return pa.dictionary(r.choice([pa.int8(), pa.uint16(), pa.int32()]), r.choice(CODED))
        case _: return r.choice(SIMPLE)


def array(r, dtype, rows, nulls):
    """Rows of a longer array, so that bits start inside a byte and offsets do not start at 0."""
    before = r.choice([0, 0, r.randrange(12)])
    return whole(r, dtype, before + rows + r.randrange(5), nulls).slice(before, rows)


def whole(r, t, n, nulls):
    is_null = lambda: r.random() < nulls
    mask = pa.array([is_null() for _ in range(n)], pa.bool_())
    if pa.types.is_run_end_encoded(t):
        ends = []
        while not ends or ends[-1] < n:
            ends.append(min(n, (ends[-1] if ends else 0) + r.choice([1, 1, 2, 7])))
        return pa.RunEndEncodedArray.from_arrays(pa.array(ends if n else [], t.run_end_type), array(r, t.value_type, len(ends) if n else 0, nulls), t)
    if pa.types.is_dictionary(t):
        values = array(r, t.value_type, r.randrange(1, 6), 0)
        return pa.DictionaryArray.from_arrays(pa.array([None if is_null() else r.randrange(len(values)) for _ in range(n)], t.index_type), values)
    if pa.types.is_struct(t):
        return pa.StructArray.from_arrays([array(r, f.type, n, nulls) for f in t], fields=list(t), mask=mask)
    if pa.types.is_fixed_size_list(t):
        return pa.FixedSizeListArray.from_arrays(array(r, t.value_type, n * t.list_size, nulls), type=t, mask=mask)
    wide = pa.types.is_large_list(t) or pa.types.is_large_list_view(t)
    index = pa.int64() if wide else pa.int32()
    if pa.types.is_list(t) or pa.types.is_large_list(t):
        offsets = [r.randrange(3)]
        for _ in range(n):
            offsets.append(offsets[-1] + r.choice([0, 0, 1, 2, 5]))
        lists = pa.LargeListArray if wide else pa.ListArray
        return lists.from_arrays(pa.array(offsets, index), array(r, t.value_type, offsets[-1] + r.randrange(3), nulls), type=t, mask=mask)
    if pa.types.is_list_view(t) or pa.types.is_large_list_view(t):
        count = r.randrange(3 * n + 1)
        offsets = [r.randrange(count + 1) for _ in range(n)]
        sizes = [r.randrange(min(4, count - offset) + 1) for offset in offsets]
        views = pa.LargeListViewArray if wide else pa.ListViewArray
        return views.from_arrays(pa.array(offsets, index), pa.array(sizes, index), array(r, t.value_type, count, nulls), type=t, mask=mask)
    return pa.array([None if is_null() or pa.types.is_null(t) else value(r, t) for _ in range(n)], t)


def value(r, t):
    if pa.types.is_boolean(t): return r.random() < 0.5
    if pa.types.is_decimal(t): return decimal.Decimal(r.randrange(-10**6, 10**6)).scaleb(-3)
    if pa.types.is_integer(t) or pa.types.is_floating(t): return r.randrange(-100, 100)
    if pa.types.is_fixed_size_binary(t): return bytes(r.randrange(256) for _ in range(t.byte_width))
    if t == pa.binary(): return bytes(r.randrange(256) for _ in range(r.choice([0, 1, 20])))
    return "né" * r.choice([0, 1, 3, 9]) + str(r.randrange(10))


def has_dictionary(t):
    if pa.types.is_dictionary(t): return True
    if pa.types.is_run_end_encoded(t): return has_dictionary(t.value_type)
    return any(has_dictionary(t.field(k).type) for k in range(t.num_fields))


def make(directory, seed):
    cases = []
    for n in range(FILES):
        r = random.Random(1000 * seed + n)
        types = [nested_type(r, 2, n % 8), nested_type(r, 1, r.randrange(8))]
        # Dictionaries that differ from batch to batch need a stream.
        is_stream = n % 3 == 0 or any(map(has_dictionary, types))
        schema = pa.schema([("logits", pa.list_(pa.float32(), 2)), *((f"c{k}", t) for k, t in enumerate(types))])
        path = str(directory / f"in{n}.{'arrows' if is_stream else 'arrow'}")
        options = ipc.IpcWriteOptions(compression=r.choice([None, "lz4", "zstd"]))
        skip = []
        row = 0
        with (ipc.new_stream if is_stream else ipc.new_file)(path, schema, options=options) as writer:
            for rows in r.choices([0, 1, 7, 9, 30, 200], k=r.choice([1, 3])) + [20]:
                bad = [r.random() < 0.2 and n % 2 == 1 for _ in range(rows)]
                skip += [row + k for k in range(rows) if bad[k]]
                row += rows
                logits = pa.array([x for k in range(rows) for x in (float("nan") if bad[k] else k, 1)], pa.float32())
                nulls = r.choice([0, 0.3])
                columns = [array(r, t, rows, nulls) for t in types]
                writer.write_batch(pa.record_batch([pa.FixedSizeListArray.from_arrays(logits, 2), *columns], schema=schema))
        cases.append({"input": path, "output": str(directory / f"out{n}.arrow"), "skip": skip})
    (directory / "cases.json").write_text(json.dumps(cases))


def make_parquet(directory):
    n = 60
    table = pa.table({
        "logits": pa.FixedSizeListArray.from_arrays(pa.array([k % 7 for k in range(2 * n)], pa.float32()), 2),
        "c0": pa.array([None if k % 5 == 0 else [f"t{j}" if j % 3 else None for j in range(k % 4)] for k in range(n)]),
        "c1": pa.array([[{"a": j, "b": [f"q{j}"]} for j in range(k % 3)] for k in range(n)]),
        "c2": pa.array([f"c{k % 4}" for k in range(n)]).dictionary_encode(),
        "c3": pa.array([None if k % 7 == 0 else {"a": k, "b": f"x{k % 3}"} for k in range(n)]),
        "c4": pa.ListArray.from_arrays(pa.array(range(n + 1), pa.int32()), pa.array([f"c{k % 4}" for k in range(n)]).dictionary_encode()),
        "c5": pa.nulls(n),
    })
    cases = []
    for version in ("1.0", "2.0"):
        path = str(directory / f"in-{version}.parquet")
        pq.write_table(table, path, row_group_size=25, data_page_version=version)
        cases.append({"input": path, "output": f"{path}.arrow", "skip": []})
    (directory / "cases.json").write_text(json.dumps(cases))


def make_overlapping(directory):
    views = pa.ListViewArray.from_arrays(pa.array([0] * 100, pa.int32()), pa.array([2**26] * 100, pa.int32()), pa.nulls(2**26))
    logits = pa.FixedSizeListArray.from_arrays(pa.array([1] * 200, pa.float32()), 2)
    table = pa.table({"logits": logits, "c0": views})
    with ipc.new_file(str(directory / "overlapping.arrow"), table.schema) as writer:
        writer.write_table(table)


def read(path):
    if path.endswith(".parquet"): return pq.read_table(path)
    with pa.memory_map(path) as source:
        return (ipc.open_stream if path.endswith(".arrows") else ipc.open_file)(source).read_all()


def check(directory):
    cases = json.loads((directory / "cases.json").read_text())
    for case in cases:
        source, found = read(case["input"]), read(case["output"])
        found.validate(full=True)
        skip = set(case["skip"])
        for name in (name for name in source.column_names if name.startswith("c")):
            expected = [v for k, v in enumerate(source[name].to_pylist()) if k not in skip]
            assert found[name].to_pylist() == expected, (case, name, source.schema.field(name).type)
    print(f"{len(cases)} outputs")


command, directory, *rest = sys.argv[1:]
directory = pathlib.Path(directory)
if command == "make": make(directory, int(rest[0]))
elif command == "parquet": make_parquet(directory)
elif command == "overlapping": make_overlapping(directory)
else: check(directory)
