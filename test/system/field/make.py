"""Files of field.test.ts; run it in this folder. Needs numpy and pyarrow.

Value k of an array of logits, in C order, is ((37 k) mod 41 - 20) / 4: every type of number here holds it exactly. Its label is
row mod classes.
"""

import decimal
import os
import struct

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq


def logits(*shape, dtype="f8"):
    k = np.arange(np.prod(shape))
    return (((37 * k) % 41 - 20) / 4).reshape(shape).astype(dtype)


def label(rows, classes):
    return np.arange(rows) % classes


def columns(array, names):
    return {name: array[:, k] for k, name in enumerate(names)}


os.makedirs("files/shards", exist_ok=True)
os.chdir("files")

# Binary classifiers: margins, one number per row.
np.save("margins.npy", logits(8, dtype="f4"))
np.save("margins-column.npy", logits(8, 1, dtype="f4"))

np.save("six.npy", logits(6, 3))


# A warehouse without floats.
def decimals(values, precision, scale):
    texts = [decimal.Decimal(f"{v:.{scale}f}") for v in values]
    return pa.array(texts, pa.decimal128(precision, scale))


scores = columns(logits(12, 4), [f"SCORE_{k}" for k in range(4)])
pq.write_table(
    pa.table(
        {name: decimals(values, 12, 6) for name, values in scores.items()}
        | {"LABEL": decimals(label(12, 4), 38, 0)}
    ),
    "decimals.parquet",
)

# An embedding beside one column per class.
pq.write_table(
    pa.table(
        {
            "id": np.arange(6),
            "embedding": pa.array(list(logits(6, 8, dtype="f4"))),
            **columns(logits(6, 4), [f"logit_{k}" for k in range(4)]),
            "label": label(6, 4),
        }
    ),
    "embedding.parquet",
)

# A factor of R, NA in row 4. The levels are in the order of the columns.
species = ["setosa", "versicolor", "virginica"]
codes = [None if row == 4 else int(k) for row, k in enumerate(label(12, 3))]
feather.write_feather(
    pa.table(
        {
            **columns(logits(12, 3), [f"lp.{name}" for name in species]),
            "Species": pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), species),
        }
    ),
    "factor.feather",
)

# Tokens whose label is -100 do not count.
ignored = label(10, 5)
ignored[[0, 3, 9]] = -100
np.savez("ignored.npz", logits=logits(10, 5, dtype="f4"), labels=ignored)

# Samples of an evaluation, with lists beside the logits.
samples = pa.table(
    {
        "doc_id": np.arange(5),
        "choices": [[f"answer {row}{c}" for c in "abc"[: 1 + row % 3]] for row in range(5)],
        "input_ids": pa.array([[row, 7] for row in range(5)], pa.list_(pa.int32())),
        "logits": pa.FixedSizeListArray.from_arrays(logits(20, dtype="f4"), 4),
    }
)
with pa.ipc.new_file("samples.arrow", samples.schema) as writer:
    writer.write_table(samples, max_chunksize=2)

# One step of a language model.
np.save("vocabulary.npy", logits(1, 49152, dtype="f2"))

# Segmentation: the classes are the first axis of four. Stacked batches of one row, and tokens.
np.savez_compressed("volume.npz", softmax=logits(3, 4, 5, 5, dtype="f4"))
np.save("stacked.npy", logits(12, 1, 4, dtype="f4"))
np.save("tokens.npy", logits(3, 5, 4, dtype="f4"))

# A pandas frame whose columns have two levels.
pq.write_table(
    pa.table(
        {
            **columns(logits(6, 3), [f"('logit', '{c}')" for c in "abc"]),
            "('meta', 'id')": np.arange(6),
        }
    ),
    "levels.parquet",
)

# numpy.savez(file, *batches), the last of them shorter.
whole = logits(18, 3, dtype="f4")
np.savez("batches.npz", *np.split(whole, [4, 8, 12, 16]))

# Labels as Keras' categorical losses take them, and as booleans.
hot = np.eye(4, dtype="f4")[label(12, 4)]
np.savez("one-hot.npz", logits=logits(12, 4, dtype="f4"), labels=hot, flags=hot == 1)

# Questions with 3, 4 or 5 answers; the same padded with null.
lengths = [3, 5, 4, 3]
answers = [list(map(float, row[:n])) for row, n in zip(logits(4, 5), lengths)]
pq.write_table(pa.table({"loglikelihoods": answers}), "choices.parquet")
padded = [row + [None] * (5 - len(row)) for row in answers]
pq.write_table(pa.table({"loglikelihoods": padded}), "choices-padded.parquet")

# Shards of two types.
np.save("shards/a.npy", logits(6, 4, dtype="f4"))
np.save("shards/b.npy", logits(6, 4))

# Tokens of documents of 5, 3 and 4 tokens, with labels of the same shape.
starts = pa.array([0, 5, 8, 12], pa.int32())
rows = pa.FixedSizeListArray.from_arrays(logits(48, dtype="f4"), 4)
pq.write_table(
    pa.table(
        {
            "doc": ["x", "y", "z"],
            "logits": pa.ListArray.from_arrays(starts, rows),
            "labels": pa.ListArray.from_arrays(starts, pa.array(label(12, 4))),
        }
    ),
    "documents.parquet",
)

# A Hive-partitioned dataset.
pq.write_to_dataset(
    pa.table({"logits": list(logits(6, 4)), "split": ["test"] * 2 + ["train"] * 4}),
    "hive",
    partition_cols=["split"],
    basename_template="part-{i}.parquet",
    existing_data_behavior="delete_matching",
)

# Vectors of Spark ML; row 3 is sparse, and its classes but one are 0.
vector = pa.struct(
    [
        ("type", pa.int8()),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
)
vectors = [dict(type=1, size=None, indices=None, values=row.tolist()) for row in logits(6, 4)]
vectors[3] = dict(type=0, size=4, indices=[1], values=[2.5])
pq.write_table(
    pa.table(
        {
            "id": np.arange(6),
            "rawPrediction": pa.array(vectors, vector),
            "probability": pa.array(vectors, vector),
            "prediction": label(6, 4).astype("f8"),
        }
    ),
    "spark.parquet",
)

# A stream whose second batch replaces the dictionary of the first.
schema = pa.schema([("logits", pa.list_(pa.float32(), 4)), ("source", pa.dictionary(pa.int8(), pa.string()))])
with pa.ipc.new_stream("replaced.arrows", schema) as writer:
    rows = logits(12, 4, dtype="f4")
    for half, words in ((rows[:6], ["a", "b"]), (rows[6:], ["x", "y"])):
        lists = pa.FixedSizeListArray.from_arrays(half.ravel(), 4)
        places = pa.array([0, 1, 1, 0, 1, 0], pa.int8())
        source = pa.DictionaryArray.from_arrays(places, words)
        writer.write_batch(pa.record_batch([lists, source], schema=schema))

# What a trainer returns for a classifier of tokens, padded with -100.
predictions, label_ids = logits(3, 5, 4, dtype="f4"), label(15, 4).reshape(3, 5)
for sequence, tokens in enumerate((5, 3, 4)):
    predictions[sequence, tokens:], label_ids[sequence, tokens:] = -100, -100
np.savez("trainer.npz", predictions=predictions, label_ids=label_ids)


# Parquet files without an Arrow schema, whose lists are those of Avro, Hive and bare protocol buffers. No writer that is installed
# makes these, so that their bytes are written here: Thrift's compact protocol, and one page per column without compression.
def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def zigzag(n):
    return varint((n << 1) ^ (n >> 63))


def fields(**values):
    """A Thrift struct; a field is named i32_3 for its type and number."""
    out, last = b"", 0
    for name, value in values.items():
        kind, number = name.split("_")
        if kind in ("i32", "i64"):
            code, value = {"i32": 5, "i64": 6}[kind], zigzag(value)
        elif kind == "text":
            code, value = 8, varint(len(value)) + value.encode()
        elif kind == "struct":
            code = 12
        else:  # listNN: items of the Thrift type NN
            item = int(kind[4:])
            code, value = 9, bytes([len(value) << 4 | item]) + b"".join(value)
        out += bytes([(int(number) - last) << 4 | code]) + value
        last = int(number)
    return out + b"\0"


def levels(values):
    """One bit-packed run of levels below 4 of the least width."""
    width = max(values).bit_length()
    bits = sum(level << (k * width) for k, level in enumerate(values))
    groups = (len(values) + 7) // 8
    body = varint(groups << 1 | 1) + bits.to_bytes(groups * width, "little")
    return struct.pack("<I", len(body)) + body


INT64, DOUBLE, LIST = 2, 5, 3
REQUIRED, OPTIONAL, REPEATED = 0, 1, 2
OLD_LISTS = {
    "avro": (
        [
            fields(i32_3=REQUIRED, text_4="logits", i32_5=1, i32_6=LIST),
            fields(i32_1=DOUBLE, i32_3=REPEATED, text_4="array"),
        ],
        ["logits", "array"],
        1,
    ),
    "hive": (
        [
            fields(i32_3=OPTIONAL, text_4="logits", i32_5=1, i32_6=LIST),
            fields(i32_3=REPEATED, text_4="bag", i32_5=1),
            fields(i32_1=DOUBLE, i32_3=OPTIONAL, text_4="array_element"),
        ],
        ["logits", "bag", "array_element"],
        3,
    ),
    "bare": ([fields(i32_1=DOUBLE, i32_3=REPEATED, text_4="logits")], ["logits"], 1),
}


def old_lists(name, rows, classes):
    elements, path, defined = OLD_LISTS[name]
    count = rows * classes
    repeats = levels([0 if k % classes == 0 else 1 for k in range(count)])
    out, chunks = b"PAR1", []
    for names, kind, number, start, values in (
        (["id"], INT64, rows, b"", np.arange(rows)),
        (path, DOUBLE, count, repeats + levels([defined] * count), logits(rows, classes)),
    ):
        data = start + values.astype("<f8" if kind == DOUBLE else "<i8").tobytes()
        plain = fields(i32_1=number, i32_2=0, i32_3=3, i32_4=3)
        page = fields(i32_1=0, i32_2=len(data), i32_3=len(data), struct_5=plain) + data
        column = fields(
            i32_1=kind,
            list5_2=[zigzag(0), zigzag(3)],
            list8_3=[varint(len(part)) + part.encode() for part in names],
            i32_4=0,
            i64_5=number,
            i64_6=len(page),
            i64_7=len(page),
            i64_9=len(out),
        )
        chunks.append(fields(i64_2=len(out), struct_3=column))
        out += page
    schema = [fields(text_4="schema", i32_5=2), fields(i32_1=INT64, i32_3=REQUIRED, text_4="id"), *elements]
    group = fields(list12_1=chunks, i64_2=len(out) - 4, i64_3=rows)
    footer = fields(i32_1=1, list12_2=schema, i64_3=rows, list12_4=[group], text_6="make.py")
    with open(f"lists-{name}.parquet", "wb") as file:
        file.write(out + footer + struct.pack("<I", len(footer)) + b"PAR1")


for name in OLD_LISTS:
    old_lists(name, 6, 4)
