import { describe, expect, expectTypeOf, test } from "vitest";
import type * as softjac from "../src/index.js";
import type { EmitName, ErrorCode, ResultsOptions } from "../src/index.js";
import { built } from "./support/built.js";

const { softmaxResults } = built;
const shape = { rows: 1, classes: 2 };
const logits = Float64Array.of(0, 1);
const tangent = [1, 0];

// `npm run types` checks what these tests claim of types; the arrays show that the types are true.
describe("the type of the results follows emit", () => {
  test("names in a literal list are properties", () => {
    const found = softmaxResults(logits, {
      ...shape,
      emit: ["jvp", "argmax"],
      tangent,
    });
    expectTypeOf(found).toEqualTypeOf<{
      jvp: Float64Array;
      argmax: Int32Array;
    }>();
    expect(found).toEqual({
      jvp: expect.any(Float64Array),
      argmax: expect.any(Int32Array),
    });
    // @ts-expect-error not in emit
    expect(found.vjp).toBeUndefined();
  });

  test("float32 logits give Float32Array", () => {
    const found = softmaxResults(Float32Array.of(0, 1), {
      ...shape,
      emit: ["jacobian"],
      layout: "packed",
    });
    expectTypeOf(found).toEqualTypeOf<{ jacobian: Float32Array }>();
    expect(found).toEqual({ jacobian: expect.any(Float32Array) });
  });

  test("the layout factored stores a block as softmax, argmax and tail", () => {
    const found = softmaxResults(Float32Array.of(0, 1), {
      ...shape,
      emit: ["log_jacobian", "trace"],
      layout: "factored",
    });
    expectTypeOf(found).toEqualTypeOf<{
      softmax: Float32Array;
      argmax: Int32Array;
      tail: Float32Array | Float64Array;
      trace: Float32Array;
    }>();
    expect(found).toEqual({
      softmax: expect.any(Float32Array),
      argmax: expect.any(Int32Array),
      tail: expect.any(Float64Array),
      trace: expect.any(Float32Array),
    });
  });

  test("the layouts of single entries have no array of a block", () => {
    const found = softmaxResults(logits, {
      ...shape,
      emit: ["softmax", "jacobian"],
      layout: "csr",
    });
    expectTypeOf(found).toEqualTypeOf<{ softmax: Float64Array }>();
    expect(found).toEqual({ softmax: expect.any(Float64Array) });
  });

  test("a list that is known at run time only gives optional properties", () => {
    const emit: EmitName[] = ["gini"];
    const found = softmaxResults(logits, { ...shape, emit });
    expectTypeOf(found.gini).toEqualTypeOf<Float64Array | undefined>();
    expectTypeOf(found.argmax).toEqualTypeOf<Int32Array | undefined>();
    const options: ResultsOptions = { ...shape, emit };
    expectTypeOf(softmaxResults(logits, options).entropy).toEqualTypeOf<
      Float64Array | undefined
    >();
    expect(found).toEqual({ gini: expect.any(Float64Array) });
  });

  test("a name that is none is refused", () => {
    // @ts-expect-error no such result
    expect(() => softmaxResults(logits, { ...shape, emit: ["vpj"] })).toThrow(
      built.UsageError,
    );
  });
});

describe("error codes", () => {
  type Public = typeof softjac;
  /** The code of each public error class, by name of the class. */
  type Codes = {
    [Name in keyof Public]: Public[Name] extends abstract new (
      ...args: never[]
    ) => { code: infer Code extends ErrorCode }
      ? Code
      : never;
  };

  test("each class has one code as its type", () => {
    expectTypeOf<Codes["UsageError"]>().toEqualTypeOf<"ERR_USAGE">();
    expectTypeOf<Codes["SoftjacError"]>().toEqualTypeOf<ErrorCode>();
    type OfClasses = Codes[Exclude<keyof Codes, "SoftjacError">];
    // A queue keeps the errors of its jobs to itself.
    expectTypeOf<
      Exclude<ErrorCode, "ERR_JOB_REFUSED">
    >().toEqualTypeOf<OfClasses>();
    expect(new built.UsageError("").code).toBe("ERR_USAGE");
  });

  test("a comparison with the code narrows, and one with a code that is none is refused", () => {
    const error: softjac.SoftjacError = new built.UsageError("");
    expect(error.code === "ERR_USAGE").toBe(true);
    // @ts-expect-error no such code
    expect(error.code === "ERR_USE").toBe(false);
  });
});
