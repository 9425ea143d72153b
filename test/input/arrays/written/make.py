"""Files of arrays as NumPy and safetensors write them; run it in this folder. Needs numpy, safetensors, torch.

Value k of every array of logits, in C order, is ((37 k) mod 41 - 20) / 4, or four times that plus 100 in whole numbers:
every type holds it exactly.
"""

import numpy
import safetensors.numpy
import safetensors.torch
import torch

ROWS, CLASSES = 23, 4
k = numpy.arange(ROWS * CLASSES)
whole = ((37 * k) % 41 - 20).reshape(ROWS, CLASSES)
logits = whole / 4
label = numpy.arange(ROWS) % CLASSES

for kind in ("f2", "f4", "f8"):
    numpy.save(f"{kind}.npy", logits.astype(kind))
    numpy.save(f"{kind}-fortran.npy", numpy.asfortranarray(logits.astype(kind)))
for kind in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
    numpy.save(f"{kind}.npy", (whole + 100).astype(kind))
numpy.save("strided.npy", numpy.repeat(logits, 3, axis=1)[:, ::3])
numpy.save("big-endian.npy", logits.astype(">f8"))
for version in ((2, 0), (3, 0)):
    with open(f"version-{version[0]}.npy", "wb") as file:
        numpy.lib.format.write_array(file, logits, version)

numpy.savez("stored.npz", logits=logits, label=label)
numpy.savez_compressed("deflated.npz", logits=numpy.asfortranarray(logits), label=label)
numpy.savez("nameless.npz", label, logits)

safetensors.numpy.save_file({"logits": logits, "label": label}, "numpy.safetensors")
tensor = torch.from_numpy(logits)
for kind in ("bfloat16", "float16", "float32"):
    safetensors.torch.save_file(
        {"logits": tensor.to(getattr(torch, kind)), "label": torch.from_numpy(label)},
        f"torch-{kind}.safetensors",
        {"format": "pt"},
    )

# These are refused.
numpy.save("refused-objects.npy", logits.astype(object))
numpy.save("refused-complex.npy", logits.astype("c16"))
numpy.save("refused-structured.npy", numpy.zeros((3, 2), [("a", "f4"), ("b", "f4", (2,))]))
numpy.save("refused-text.npy", logits.astype(str))
numpy.save("refused-scalar.npy", numpy.float64(1))
torch.save({"logits": tensor}, "refused-torch.pt")
