import { describe, expect, test } from "vitest";
import type { ReduceOptions } from "../../src/index.js";
import { writeArrow } from "../support/arrow-columns.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import {
  columnsOf,
  drawn,
  product,
  readOutput,
  softmax,
  writeDrawn,
  writeMatrix,
} from "../support/sums-files.js";
import { importable, runPython } from "../system/interop/python.js";

const at = workDirectory();
const B = [
  [0, 0.4, -0.3],
  [0, 0.8, -0.5],
  [0, -0.2, 0.3],
];
const [K, Q] = [3, 3];
const data = drawn(300, B, 3);
const input = writeDrawn(at("data.arrow"), data, 70);
const output = at("out.arrow");
const coefficients = writeMatrix(at("B.npy"), B);
const model = { features: "a,b", intercept: true, coefficients, base: "none" };

async function reduced(options: Partial<ReduceOptions>) {
  const report = await built.reduce({
    ...{ inputs: [input], output, force: true, ...options },
  });
  return { report, ...readOutput(output) };
}

/** Expected sums by their definitions in plain double precision. */
function defined() {
  const sums: Record<string, number[]> = {};
  let weight = 0;
  const add = (name: string, w: number, values: number[]) => {
    sums[name] = values.map((v, k) => (sums[name]?.[k] ?? 0) + w * v);
  };
  for (const [r, x] of data.x.entries()) {
    const w = data.weight[r] as number;
    const y = data.label[r] as number;
    const p = softmax(product(x, B));
    const J = p.map((a, j) =>
      p.map((b, l) => (j === l ? a * (1 - a) : -a * b)),
    );
    const xx = x.map((a) => x.map((b) => a * b));
    const s = p.map((a, j) => (j === y ? 1 - a : -a));
    const kron = J.flatMap((row) =>
      xx.flatMap((other) => row.flatMap((a) => other.map((b) => a * b))),
    );
    weight += w;
    add("softmax", w, p);
    add("jacobian", w, J.flat());
    add("features", w, x);
    add("accuracy", w, [p.indexOf(Math.max(...p)) === y ? 1 : 0]);
    add("loglik", w, [Math.log(p[y] as number)]);
    add(
      "score",
      w,
      s.flatMap((a) => x.map((b) => a * b)),
    );
    add("fisher", w, kron);
    add(
      "fisher_diagonal",
      w,
      J.flatMap((row, j) => x.map((b) => (row[j] ?? 0) * b * b)),
    );
    add("kfac_output", w, J.flat());
    add("kfac_input", w, xx.flat());
  }
  for (const name of [
    "softmax",
    "jacobian",
    "features",
    "accuracy",
    "kfac_input",
  ])
    sums[name] = (sums[name] as number[]).map((v) => v / weight);
  return sums;
}

const ALL = [
  "softmax",
  "jacobian",
  "features",
  "accuracy",
  "loglik",
  "score",
] as const;
const EMIT = [...ALL, "fisher", "fisher_diagonal", "kfac"] as const;

describe("values, shapes and metadata", () => {
  const sums = defined();
  const close = (found: unknown, name: string) => {
    const expected = sums[name] as number[];
    const values = [found].flat() as number[];
    expect(values.length).toBe(expected.length);
    for (const [k, value] of values.entries())
      expect(value, name).toBeCloseTo(expected[k] as number, 9);
  };

  test("with a model, and with logits beside features", async () => {
    const own = await reduced({
      ...model,
      label: "label",
      weight: "w",
      emit: EMIT,
    });
    for (const name of Object.keys(sums)) close(own.columns[name]?.[0], name);
    expect(own.report.terms).toEqual(["(intercept)", "a", "b"]);
    expect(Object.fromEntries(own.meta)).toMatchObject({
      "softjac.command": "reduce",
      "softjac.emit": [
        ...EMIT.slice(0, -1),
        "kfac_output",
        "kfac_input",
      ].join(),
      "softjac.terms": '["(intercept)","a","b"]',
      "softjac.classes": "3",
    });
    const shapes = own.fields.map(({ name, nullable, metadata }) => [
      ...[name, nullable, metadata.get("ARROW:extension:metadata")],
    ]);
    const tensor = (n: number) => `{"shape":[${n},${n}],"dim_names":["i","j"]}`;
    expect(shapes).toEqual(
      ["rows", "weight", ...Object.keys(sums)].map((name) => [
        ...[name, false],
        { score: tensor(K), fisher_diagonal: tensor(K), fisher: tensor(K * Q) }[
          name
        ] ?? (/jacobian|kfac/.test(name) ? tensor(Q) : undefined),
      ]),
    );
    const emit = ["kfac", "fisher_diagonal"] as const;
    const beside = await reduced({
      column: "logits",
      features: "x",
      weight: "w",
      emit,
    });
    for (const name of ["kfac_output", "kfac_input", "fisher_diagonal"])
      close(beside.columns[name]?.[0], name);
    expect(beside.report.terms).toEqual(["x0", "x1", "x2"]);
  });

  test("packed layout", async () => {
    const emit = ["jacobian", "fisher", "kfac", "score"] as const;
    const options = { ...model, label: "label", emit };
    const { columns: whole } = await reduced(options);
    const { columns, fields } = await reduced({ ...options, layout: "packed" });
    for (const name of ["jacobian", "fisher", "kfac_output", "kfac_input"]) {
      const all = whole[name]?.[0] as number[];
      const n = Math.sqrt(all.length);
      const upper = all.filter((_, k) => k % n >= Math.floor(k / n));
      expect(columns[name]?.[0]).toEqual(upper);
      // Exactly symmetric.
      expect(all).toEqual(
        all.map((_, k) => all[(k % n) * n + Math.floor(k / n)]),
      );
    }
    expect(columns.score).toEqual(whole.score);
    expect(fields.find(({ name }) => name === "fisher")?.metadata.size).toBe(0);
  });

  test("without rows", async () => {
    const empty = writeDrawn(at("empty.arrow"), drawn(0, B));
    const options = { ...model, inputs: [empty] };
    const labelled = { ...options, label: "label", emit: EMIT };
    const { columns, report } = await reduced(labelled);
    expect(report).toMatchObject({ rows: 0, groups: 1, badRows: 0 });
    expect(columns.rows).toEqual([0n]);
    expect(columns.loglik).toEqual([0]);
    expect(columns.softmax).toEqual([null]);
    expect(columns.fisher).toEqual([new Array((K * Q) ** 2).fill(0)]);
    const { columns: none } = await reduced({ ...options, by: ["group"] });
    expect(none.group).toEqual([]);
    expect(none.jacobian).toEqual([]);
  });
});

test("features as columns, a pattern, and lists are the same", async () => {
  const { a, b, x, logits } = columnsOf(data);
  const mixed = at("mixed.arrow");
  const [values, list] = x as NonNullable<typeof x>;
  writeArrow(mixed, {
    z1: a as NonNullable<typeof a>,
    z2: b as NonNullable<typeof b>,
    both: [
      (values as number[][]).map((row) => row.slice(1)),
      "fixed_size_list<float64>[2]",
    ],
    lists: [(values as number[][]).map((row) => row.slice(1)), "list<float64>"],
    whole: [(b as [number[], never])[0], "int16"],
    x: [values, list],
    logits: logits as NonNullable<typeof logits>,
  });
  const options = {
    ...model,
    inputs: [mixed],
    emit: ["fisher", "jacobian"] as const,
  };
  const expected = await reduced({ ...options, features: "z1,z2" });
  for (const features of ["z*", "both", "lists", "z1,whole"]) {
    const { columns } = await reduced({ ...options, features });
    expect(columns).toEqual(expected.columns);
  }
  const { columns } = await reduced({
    ...options,
    intercept: false,
    features: "x",
  });
  expect(columns).toEqual(expected.columns);
});

test.skipIf(!importable("pyarrow, numpy"))(
  "pyarrow reads tensors and nulls",
  async () => {
    await reduced({ ...model, by: ["group"], label: "label", emit: EMIT });
    const effects = at("effects.arrow");
    await built.effects({
      ...{ ...model, inputs: [input], by: ["group"], output: effects },
      ...{ of: ["dydx", "probability"], contrast: ["a"], covariance: "none" },
    });
    const script = `
import sys, pyarrow as pa
t = pa.ipc.open_file(sys.argv[1]).read_all(); t.validate(full=True)
for name in ["jacobian", "score", "fisher"]:
    print(name, t[name].type.extension_name, t[name].combine_chunks().to_numpy_ndarray().shape)
print([str(f.type) for f in t.schema][:3], t["group"].to_pylist())
e = pa.ipc.open_file(sys.argv[2]).read_all(); e.validate(full=True)
print([f"{f.name}:{f.type}{'' if f.nullable else '!'}" for f in e.schema], len(e))
print(e["std_error"].null_count, e["term"].to_pylist()[6:9], e["effect"].to_pylist()[9])
`;
    const { stdout, stderr } = runPython("-c", script, output, effects);
    expect(stderr).toBe("");
    const text =
      "group:string effect:string! class:int32! term:string estimate:double!";
    const errors = [
      "std_error",
      "statistic",
      "p_value",
      "conf_low",
      "conf_high",
    ];
    expect(stdout.trimEnd().split("\n")).toEqual([
      "jacobian arrow.fixed_shape_tensor (3, 3, 3)",
      "score arrow.fixed_shape_tensor (3, 3, 3)",
      "fisher arrow.fixed_shape_tensor (3, 9, 9)",
      "['string', 'int64', 'double'] ['east', 'north', None]",
      `[${[...text.split(" "), ...errors.map((name) => `${name}:double`)].map((s) => `'${s}'`).join(", ")}] 36`,
      "36 [None, None, None] contrast 0:1",
    ]);
  },
);
