import { expect, test } from "vitest";
import { inputRuns } from "../support/input-runs.js";
import { importable, runPython } from "./python.js";

// Every number of the two float8 formats that safetensors has, as PyTorch widens it to float32.

const { at, run } = inputRuns();
const MAKE = `
import json, struct, sys, numpy, torch
kind, dtype, path = sys.argv[1:]
codes = torch.arange(256, dtype=torch.uint8)
wide = codes.view(getattr(torch, kind)).float()
finite = torch.isfinite(wide)
rows = int(finite.sum())
zero = torch.zeros(rows, dtype=torch.uint8)
values = torch.stack([codes[finite], zero], 1).numpy().tobytes()
header = {"o": {"dtype": dtype, "shape": [rows, 2], "data_offsets": [0, 2 * rows]}}
text = json.dumps(header).encode()
with open(path, "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text + values)
numpy.save(path + ".npy", torch.stack([wide[finite], zero.float()], 1).numpy())
`;

test.skipIf(!importable("torch, numpy")).each([
  ["float8_e4m3fn", "F8_E4M3", 254],
  ["float8_e5m2", "F8_E5M2", 248],
] as const)("%s", async (kind, dtype, finite) => {
  const input = at(`${kind}.safetensors`);
  const { status, stderr } = runPython("-c", MAKE, kind, dtype, input);
  expect(status, stderr).toBe(0);
  const read = async (input: string) =>
    (await run({ input, emit: ["log_softmax"] })).column("log_softmax");
  const found = await read(input);
  expect(found).toHaveLength(finite);
  expect(found).toEqual(await read(`${input}.npy`));
});
