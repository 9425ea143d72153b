import {
  type AuxiliaryName,
  EMITS,
  type EmitName,
} from "../../src/results/catalogue.js";
import { writeArrow } from "./arrow-columns.js";
import { built } from "./built.js";
import { normal, random } from "./random.js";

/** Logits and auxiliary inputs of all results. */
export interface Inputs {
  rows: number;
  classes: number;
  logits: Float64Array;
  label: number[];
  classColumn: number[];
  cotangent: number[];
  tangent: number[];
  /** Upper triangles, row-major. */
  covariance: number[];
}

export function inputs(rows: number, classes: number, seed = 4): Inputs {
  const uniform = random(seed);
  const gauss = normal(uniform);
  const draw = (n: number) => Array.from({ length: rows * n }, gauss);
  const classOf = () =>
    Array.from({ length: rows }, () => Math.floor(uniform() * classes));
  return {
    rows,
    classes,
    logits: Float64Array.from(draw(classes), (x) => 4 * x),
    label: classOf(),
    classColumn: classOf(),
    cotangent: draw(classes).map(Math.fround),
    tangent: draw(classes),
    covariance: draw((classes * (classes + 1)) / 2),
  };
}

/** Writes an Arrow file with columns logits, y (int64), k (int16), g (float32 fixed-size lists), v and s (float64 lists). */
export function writeInputs(
  path: string,
  all: Inputs,
  batchRows: number,
): void {
  const { rows, classes } = all;
  const nested = (values: ArrayLike<number>) => {
    const n = values.length / rows;
    return Array.from({ length: rows }, (_, r) =>
      Array.from(values).slice(r * n, (r + 1) * n),
    );
  };
  writeArrow(
    path,
    {
      y: [all.label.map(BigInt), "int64"],
      k: [all.classColumn, "int16"],
      logits: [nested(all.logits), `fixed_size_list<float64>[${classes}]`],
      g: [nested(all.cotangent), `fixed_size_list<float32>[${classes}]`],
      v: [nested(all.tangent), "list<float64>"],
      s: [nested(all.covariance), "list<float64>"],
    },
    { batchRows },
  );
}

/** Computes results with the function on arrays, passing the inputs that each needs. */
export function inMemory(
  all: Inputs,
  emit: readonly EmitName[],
  temperature = 1,
) {
  const used = new Set(
    emit.map((name) => (EMITS[name] as { input?: AuxiliaryName }).input),
  );
  const { rows, classes, classColumn, ...others } = all;
  return built.softmaxResults(all.logits, {
    rows,
    classes,
    emit,
    temperature,
    ...(used.has("classColumn") && { class: classColumn }),
    ...Object.fromEntries(
      Object.entries(others).filter(([name]) =>
        used.has(name as AuxiliaryName),
      ),
    ),
  });
}
