import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";

// What NumPy 2.4, safetensors 0.8 and PyTorch 2.13 wrote (written/make.py).

const folder = fileURLToPath(new URL("written", import.meta.url));
const files = readdirSync(folder).filter((name) => !name.endsWith(".py"));
const readable = files.filter((name) => !name.startsWith("refused"));
const at = workDirectory();

const ROWS = 23;
const CLASSES = 4;
const whole = Float64Array.from(
  { length: ROWS * CLASSES },
  (_, k) => ((37 * k) % 41) - 20,
);

/** One results' column of a run on a file. */
async function column(
  name: string,
  emit: string,
  options: object = {},
): Promise<number[]> {
  const output = at("output");
  await built.run({
    input: `${folder}/${name}`,
    output,
    dtype: "float64",
    emit: [emit as "softmax"],
    force: true,
    ...options,
  });
  const values = [...tableFromIPC(readFileSync(output)).getChild(emit)];
  return values.flatMap((value) =>
    typeof value === "number" ? value : [...value],
  );
}

test.each(readable)("%s", async (name) => {
  // The whole numbers are four times as large: softmax does not see what is added to all.
  const logits = /^[iu]\d/.test(name) ? whole : whole.map((x) => x / 4);
  const expected = built.softmax(logits, { rows: ROWS, classes: CLASSES });
  expect(await column(name, "softmax")).toEqual([...expected]);
  if (name.endsWith(".npy")) return;
  const label = name === "nameless.npz" ? "arr_0" : "label";
  const { cross_entropy } = built.softmaxResults(logits, {
    rows: ROWS,
    classes: CLASSES,
    emit: ["cross_entropy"],
    label: Array.from({ length: ROWS }, (_, row) => row % CLASSES),
  });
  expect(await column(name, "cross_entropy", { label })).toEqual([
    ...(cross_entropy as Float64Array),
  ]);
});

test("as many files as were made", () => {
  expect(readable.length).toBe(25);
});

test("others are refused by name", async () => {
  const messages: Record<string, string> = {};
  for (const name of files.filter((name) => name.startsWith("refused"))) {
    const error = await built
      .run({ input: `${folder}/${name}`, output: at("none") })
      .catch((error) => error);
    expect(["ERR_INPUT_UNSUPPORTED", "ERR_LOGITS_COLUMN"]).toContain(
      error.code,
    );
    messages[name] = /found (.*)$/.exec(error.message)?.[1] as string;
  }
  expect(messages).toEqual({
    "refused-complex.npy":
      "<c16 (complex numbers) [23, 4]; save the real part, x.real",
    "refused-objects.npy":
      '|O (Python objects; pickles are not supported) [23, 4]; save numpy.stack(x).astype("f8")',
    "refused-scalar.npy":
      "float64 []; save the logits as an array of this shape",
    "refused-structured.npy":
      "a structured type [3, 2]; save numpy.lib.recfunctions.structured_to_unstructured(x)",
    "refused-text.npy":
      '<U32 (text) [23, 4]; if the text is numbers, save x.astype("f8")',
    "refused-torch.pt":
      "refused-torch/data.pkl, refused-torch/.format_version, refused-torch/.storage_alignment, refused-torch/byteorder; pickles are not supported, save the tensors as safetensors or .npy",
  });
});
