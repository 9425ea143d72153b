import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { ModelRows } from "../../src/kernels/linear-model.js";
import { distFile } from "../support/dist.js";
import { normal, random } from "../support/random.js";

function refuse(): never {
  throw new RangeError("WebAssembly.Memory(): could not allocate memory");
}

test("without memory for the kernel (ulimit -v), logits and covariances have the same bits", () => {
  const [rows, features, classes] = [5, 4, 3];
  const gauss = normal(random(7));
  const draw = (n: number) => Float64Array.from({ length: n }, () => gauss());
  const n = features * classes;
  const v = draw(n * n);
  const model = {
    module: new WebAssembly.Module(readFileSync(distFile("sums.wasm"))),
    ...{ features, classes, intercept: true, coefficients: draw(n) },
    covariance: v.map((_, at) => {
      const [i, j] = [Math.trunc(at / n), at % n];
      return (v[i * n + j] as number) + (v[j * n + i] as number);
    }),
  };
  const x = draw(rows * (features - 1));
  x[4] = Number.NaN;
  // Halves of the factor overflow, then a sum.
  x[6] = 1e305;
  x[10] = 1.7e308;
  const store = () => {
    const logits = new Float64Array(rows * classes);
    const covariances = new Float64Array(rows * 6);
    new ModelRows(model).store(x, logits, covariances);
    return { logits, covariances };
  };
  const expected = store();
  const memory = vi.spyOn(WebAssembly, "Memory").mockImplementation(refuse);
  try {
    expect(store()).toEqual(expected);
    expect(memory).toHaveBeenCalledTimes(2);
  } finally {
    memory.mockRestore();
  }
});
