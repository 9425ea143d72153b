import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { built } from "../../support/built.js";
import { inputRuns } from "../../support/input-runs.js";

// Files that NumPy 2.4, safetensors 0.8 and PyTorch 2.13 wrote (written/make.py).

const { valuesOf, refusal } = inputRuns();
const folder = fileURLToPath(new URL("written/", import.meta.url));
const files = readdirSync(folder).filter((name) => !name.endsWith(".py"));
const readable = files.filter((name) => !name.startsWith("refused"));
const shape = { rows: 23, classes: 4 };
const whole = Float64Array.from({ length: 92 }, (_, k) => ((37 * k) % 41) - 20);
const label = Array.from({ length: 23 }, (_, row) => row % 4);

test.each(readable)("%s", async (name) => {
  // Whole numbers in the files are four times as large, and differ by a constant, which softmax ignores.
  const logits = /^[iu]\d/.test(name) ? whole : whole.map((x) => x / 4);
  const run = (emit: string, options: object) =>
    valuesOf(folder + name, emit, {
      ...{ emit: [emit], dtype: "float64", ...options },
    });
  expect((await run("softmax", {})).flat()).toEqual([
    ...built.softmax(logits, shape),
  ]);
  if (name.endsWith(".npy")) return;
  const given = { ...shape, label, emit: ["cross_entropy"] as const };
  const { cross_entropy } = built.softmaxResults(logits, given);
  const labels = name === "nameless.npz" ? "arr_0" : "label";
  expect(await run("cross_entropy", { label: labels })).toEqual([
    ...cross_entropy,
  ]);
});

test("refused files, and the number of all", async () => {
  const messages: Record<string, string> = {};
  for (const name of files.filter((name) => !readable.includes(name)))
    messages[name.slice(8)] = (await refusal(folder + name)).replace(
      / file: .*, found/,
      "",
    );
  expect(messages).toEqual({
    "complex.npy":
      "ERR_INPUT_UNSUPPORTED <c16 (complex numbers) [23, 4]; save the real part, x.real",
    "objects.npy":
      'ERR_INPUT_UNSUPPORTED |O (Python objects; pickles are not supported) [23, 4]; save numpy.stack(x).astype("f8")',
    "scalar.npy":
      "ERR_INPUT_UNSUPPORTED float64 []; save the logits as an array of this shape",
    "structured.npy":
      "ERR_INPUT_UNSUPPORTED a structured type [3, 2]; save numpy.lib.recfunctions.structured_to_unstructured(x)",
    "text.npy":
      'ERR_INPUT_UNSUPPORTED <U32 (text) [23, 4]; if the text is numbers, save x.astype("f8")',
    "torch.pt":
      "ERR_LOGITS_COLUMN refused-torch/data.pkl, refused-torch/.format_version, refused-torch/.storage_alignment, refused-torch/byteorder; pickles are not supported, save the tensors as safetensors or .npy",
  });
  expect(readable.length).toBe(25);
});
