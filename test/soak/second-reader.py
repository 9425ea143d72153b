"""Compares outputs of runs with what pyarrow and NumPy read from the same damaged inputs.

Reads lines of JSON, {"input", "output", "keep", "sound"}; answers each with {"verdict", "text"}: "equal", "different", or, where
they refuse the input, "unharmed" (the output is that of the sound file) or "refused".
"""
import io
import json
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def validate(table):
    """A number of nulls that is not that of the bits is no trouble: the bits alone say which values are null."""
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        if "null_count value" not in str(error):
            raise


def parquet(source, columns):
    table = pq.ParquetFile(source, page_checksum_verification=True).read(columns=columns)
    validate(table)
    return table


def table_of(path, columns):
    if path.endswith(".parquet"):
        try:
            return parquet(path, columns)
        except Exception:
            # The Arrow schema in a footer says nothing about values; it may be damaged alone.
            data = open(path, "rb").read()
            return parquet(pa.BufferReader(data.replace(b"ARROW:schema", b"ARROW:ignore")), columns)
    reader = pa.ipc.open_stream(path) if path.endswith(".arrows") else pa.ipc.open_file(path)
    return reader.read_all().select(columns)


def array_of(path):
    if path.endswith(".npy"):
        return np.load(path, allow_pickle=False)
    if path.endswith(".npz"):
        with zipfile.ZipFile(path) as archive:
            return np.load(io.BytesIO(archive.read("logits.npy")), allow_pickle=False)
    data = open(path, "rb").read()
    length = int.from_bytes(data[:8], "little")
    tensor = json.loads(data[8 : 8 + length])["logits"]
    start, end = tensor["data_offsets"]
    dtype = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1"}
    return np.frombuffer(data[8 + length + start : 8 + length + end], dtype[tensor["dtype"]]).reshape(tensor["shape"])


def read(path, keep):
    """Logits as rows of float64, and kept columns."""
    if path.endswith((".npy", ".npz", ".safetensors")):
        return array_of(path).astype("f8"), []
    table = table_of(path, [*keep, "logits"])
    validate(table)
    logits = np.array(table["logits"].to_pylist(), "f8")
    return logits, [same_bytes(table[name]) for name in keep]


def same_bytes(values):
    """Text as its bytes: a schema whose mark of text is damaged makes binary of the same bytes."""
    return repr([value.encode() if isinstance(value, str) else value for value in values.to_pylist()])


def judge(input, output, keep, sound):
    table = pa.ipc.open_file(output).read_all()
    table.validate(full=True)
    found = np.array(table["softmax"].to_pylist(), "f8")
    found_kept = [same_bytes(table[name]) for name in keep]
    try:
        logits, kept = read(input, keep)
    except Exception as error:
        # Of bytes that this reader refuses, the undamaged file's numbers are right.
        verdict, _ = compare(found, found_kept, *read(sound, keep))
        return "unharmed" if verdict == "equal" else "refused", f"{type(error).__name__}: {error}"
    return compare(found, found_kept, logits, kept)


def compare(found, found_kept, logits, kept):
    logits = logits.reshape(len(found), -1) if len(logits) == len(found) == 0 else logits
    if logits.shape != found.shape:
        return "different", f"{found.shape} numbers, of {logits.shape} logits"
    if kept != found_kept:
        return "different", "kept columns"
    with np.errstate(all="ignore"):
        powers = np.exp(logits - logits.max(axis=1, keepdims=True)) if logits.size else logits
        expected = powers / powers.sum(axis=1, keepdims=True) if logits.size else logits
    if not np.allclose(found, expected, rtol=1e-12, atol=1e-300):
        return "different", f"softmax in row {int(np.argmax(~np.isclose(found, expected, rtol=1e-12).all(axis=1)))}"
    return "equal", ""


for line in sys.stdin:
    try:
        verdict, text = judge(**json.loads(line))
    except Exception as error:
        verdict, text = "different", f"the output: {type(error).__name__}: {error}"
    print(json.dumps({"verdict": verdict, "text": text[:300]}), flush=True)
