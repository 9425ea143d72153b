import { createRequire } from "node:module";
import { expect, expectTypeOf, test } from "vitest";
import type * as softjac from "../src/index.js";
import type { EmitName, ErrorCode, ResultsOptions } from "../src/index.js";
import { built } from "./support/built.js";
import { distFile } from "./support/dist.js";

// `npm run types` checks the types; the arrays show that the types are true.

const { softmaxResults, UsageError } = built;
const shape = { rows: 1, classes: 2 };
const logits = Float64Array.of(0, 1);
const singles = Float32Array.of(0, 1);
const ints = expect.any(Int32Array);
const floats32 = expect.any(Float32Array);
const floats64 = expect.any(Float64Array);

test("names in a literal list of emit are properties of the results", () => {
  const tangent = [1, 0];
  const emit = ["jvp", "argmax"] as const;
  const found = softmaxResults(logits, { ...shape, emit, tangent });
  expectTypeOf(found).toEqualTypeOf<{
    jvp: Float64Array;
    argmax: Int32Array;
  }>();
  expect(found).toEqual({ jvp: floats64, argmax: ints });
  // @ts-expect-error not in emit
  expect(found.vjp).toBeUndefined();
});

test("float32 logits give Float32Array", () => {
  const options = { ...shape, layout: "packed" } as const;
  const found = softmaxResults(singles, { ...options, emit: ["jacobian"] });
  expectTypeOf(found).toEqualTypeOf<{ jacobian: Float32Array }>();
  expect(found).toEqual({ jacobian: floats32 });
});

test("the layout factored stores a block as softmax, argmax and tail", () => {
  const options = { ...shape, layout: "factored" } as const;
  const emit = ["log_jacobian", "trace"] as const;
  const found = softmaxResults(singles, { ...options, emit });
  expectTypeOf(found).toEqualTypeOf<{
    softmax: Float32Array;
    argmax: Int32Array;
    tail: Float32Array | Float64Array;
    trace: Float32Array;
  }>();
  const arrays = { softmax: floats32, trace: floats32, tail: floats64 };
  expect(found).toEqual({ ...arrays, argmax: ints });
});

test("the layouts of single entries have no array of a block", () => {
  const options = { ...shape, layout: "csr" } as const;
  const emit = ["softmax", "jacobian"] as const;
  const found = softmaxResults(logits, { ...options, emit });
  expectTypeOf(found).toEqualTypeOf<{ softmax: Float64Array }>();
  expect(found).toEqual({ softmax: floats64 });
});

test("a list that is known only at run time gives optional properties", () => {
  type Optional<T> = T | undefined;
  const emit: EmitName[] = ["gini"];
  const found = softmaxResults(logits, { ...shape, emit });
  expectTypeOf(found.gini).toEqualTypeOf<Optional<Float64Array>>();
  expectTypeOf(found.argmax).toEqualTypeOf<Optional<Int32Array>>();
  const options: ResultsOptions = { ...shape, emit };
  const { entropy } = softmaxResults(logits, options);
  expectTypeOf(entropy).toEqualTypeOf<Optional<Float64Array>>();
  expect(found).toEqual({ gini: floats64 });
});

test("a result that does not exist is rejected", () => {
  // @ts-expect-error no such result
  const call = () => softmaxResults(logits, { ...shape, emit: ["vpj"] });
  expect(call).toThrow(UsageError);
});

test("each error class has one code as its type, and a comparison narrows it", () => {
  type Public = typeof softjac;
  /** The code of each public error class, by name of the class. */
  type Codes = {
    [Name in keyof Public]: Public[Name] extends abstract new (
      ...args: never[]
    ) => { code: infer Code extends ErrorCode }
      ? Code
      : never;
  };
  expectTypeOf<Codes["UsageError"]>().toEqualTypeOf<"ERR_USAGE">();
  expectTypeOf<Codes["SoftjacError"]>().toEqualTypeOf<ErrorCode>();
  type OfClasses = Codes[Exclude<keyof Codes, "SoftjacError">];
  // Only errors of queue jobs, which are not public, have this code.
  type PublicCode = Exclude<ErrorCode, "ERR_JOB_REFUSED">;
  expectTypeOf<PublicCode>().toEqualTypeOf<OfClasses>();
  const error: softjac.SoftjacError = new UsageError("");
  expect(error.code === "ERR_USAGE").toBe(true);
  // @ts-expect-error no such code
  expect(error.code === "ERR_USE").toBe(false);
});

/** A symbol of TypeScript 6, whose compiler can be called; 7 has only a command. */
interface TypeSymbol {
  name: string;
  getDocumentationComment(checker: unknown): { text: string }[];
}

test("every option of the package has its documentation", () => {
  const extractor = createRequire(import.meta.url).resolve(
    "@microsoft/api-extractor",
  );
  const ts = createRequire(extractor)("typescript");
  const file = distFile("index.d.ts");
  const libraries = { types: [], lib: ["lib.es2022.d.ts"] };
  const program = ts.createProgram([file], libraries);
  const checker = program.getTypeChecker();
  const source = checker.getSymbolAtLocation(program.getSourceFile(file));
  const names: TypeSymbol[] = checker.getExportsOfModule(source);
  const docs = new Map<string, string>();
  for (const symbol of names.filter(({ name }) => /Options$/.test(name)))
    for (const property of checker
      .getDeclaredTypeOfSymbol(symbol)
      .getProperties() as TypeSymbol[]) {
      const parts = property.getDocumentationComment(checker);
      const text = parts.map(({ text }) => text).join("");
      docs.set(`${symbol.name}.${property.name}`, text);
    }
  expect(docs.get("RunOptions.temperature")).toBe(
    "Temperature T of softmax(o/T), 1e-100 to 1e100; default: 1.",
  );
  expect(docs.get("SubmitOptions.shardRows")).toMatch(/^Maximum rows per/);
  const without = [...docs.keys()].filter((name) => docs.get(name) === "");
  expect(without).toEqual([]);
  expect(docs.size).toBeGreaterThan(250);
});
