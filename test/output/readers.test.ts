import { readFileSync } from "node:fs";
import { tableFromIPC as flechette } from "@uwdata/flechette";
import { tableFromIPC as arrow } from "apache-arrow";
import { describe, expect, test } from "vitest";
import { built } from "../support/built.js";
import {
  KEPT,
  KEPT_CLASSES,
  KEPT_ROWS,
  keptLogit,
  writeKept,
} from "../support/kept-input.js";
import { workDirectory } from "../support/logits-input.js";

// What we write, read by two readers that are not ours, against what another writer wrote into the input.

const at = workDirectory();

describe.each([50, 7, 1])("from record batches of %i rows", (batchRows) => {
  const input = at(`in-${batchRows}.arrow`);
  writeKept(input, batchRows);
  const output = at(`out-${batchRows}.arrow`);

  test("kept columns of every kind, nulls and dictionaries included", async () => {
    await built.run({ input, output, keep: Object.keys(KEPT), force: true });
    const source = flechette(readFileSync(input));
    const ours = flechette(readFileSync(output));
    const theirs = arrow(readFileSync(output));
    expect(ours.numRows).toBe(KEPT_ROWS);
    expect(theirs.numRows).toBe(KEPT_ROWS);
    for (const name of Object.keys(KEPT)) {
      const expected = source.getChild(name);
      const found = ours.getChild(name);
      expect(found.type, name).toEqual(expected.type);
      expect([...found], name).toEqual([...expected]);
      expect(found.nullCount, name).toBe(expected.nullCount);
      expect(theirs.getChild(name)?.nullCount, name).toBe(expected.nullCount);
    }
    const names = [...(theirs.getChild("name") ?? [])];
    expect(names).toEqual(KEPT.name?.values);
    expect([...(theirs.getChild("kind") ?? [])]).toEqual(KEPT.kind?.values);
  });

  test("row, softmax, jacobian and the metadata", async () => {
    await built.run({ input, output, force: true });
    const logits = Float32Array.from(
      { length: KEPT_ROWS * KEPT_CLASSES },
      (_, at) => keptLogit(Math.floor(at / KEPT_CLASSES), at % KEPT_CLASSES),
    );
    const shape = { rows: KEPT_ROWS, classes: KEPT_CLASSES };
    const p = built.softmax(logits, shape);
    const J = built.softmaxJacobian(logits, shape);
    const file = readFileSync(output);
    const ours = flechette(file, { useBigInt: false });
    expect([...ours.getChild("row")]).toEqual(
      Array.from({ length: KEPT_ROWS }, (_, r) => r),
    );
    const flat = (name: string) =>
      Float32Array.from([...ours.getChild(name)].flatMap((list) => [...list]));
    expect(flat("softmax")).toEqual(p);
    expect(flat("jacobian")).toEqual(J);
    const theirs = arrow(file);
    expect(theirs.getChild("jacobian")?.get(49)?.toArray()).toEqual(
      J.slice(49 * 16),
    );
    expect(Object.fromEntries(theirs.schema.metadata)).toEqual({
      "softjac.version": built.version,
      "softjac.layout": "bsr",
      "softjac.emit": "softmax,jacobian",
      "softjac.rows": "50",
      "softjac.classes": "4",
      "softjac.dtype": "float32",
      "softjac.temperature": "1",
      "softjac.threshold": "0",
      "softjac.source": `in-${batchRows}.arrow`,
      "softjac.column": "logits",
      "softjac.on_bad_row": "error",
      "softjac.null_logit": "error",
      "softjac.allow_missing_eos": "false",
      "softjac.tensor_type": "true",
    });
    const field = theirs.schema.fields.find(({ name }) => name === "jacobian");
    expect(Object.fromEntries(field?.metadata ?? [])).toEqual({
      "ARROW:extension:name": "arrow.fixed_shape_tensor",
      "ARROW:extension:metadata": '{"shape":[4,4],"dim_names":["i","j"]}',
    });
  });

  test("the stream after the magic is a stream of its own, to its end marker", async () => {
    await built.run({ input, output, keep: ["id", "split"], force: true });
    const file = readFileSync(output);
    const stream = flechette(file.subarray(8));
    expect(stream.numRows).toBe(KEPT_ROWS);
    expect([...stream.getChild("id")]).toEqual(KEPT.id?.values);
  });
});
