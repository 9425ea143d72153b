import { once } from "node:events";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { afterEach, expect, test, vi } from "vitest";
import { planDataset } from "../../src/dataset/run-dataset.js";
import { finalizeDataset } from "../../src/dataset/tasks.js";
import { openStore } from "../../src/storage/open-store.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const { readdir } = promises;

afterEach(() => {
  Object.assign(promises, { readdir });
  syncBuiltinESMExports();
  vi.useRealTimers();
});

test("each answer of a store is a sign of life, and each failure", async () => {
  let answers = 0;
  const store = await openStore(at("folder"), { alive: () => answers++ });
  expect(await store.head(at("nothing"))).toBe(null);
  expect((await store.list(at("."))).size).toBe(0);
  expect(answers).toBe(2);
  await expect(
    store.putIfAbsent(at("no/folder/x"), Buffer.of(1)),
  ).rejects.toThrow();
  expect(answers).toBe(3);
  expect(store.temporaryName()).toContain(at("folder"));
});

test("finalize gives up a file system that does not answer", async () => {
  const input = at("in.arrow");
  writeLogits(input, { rows: 4, classes: 2, logit: (r, k) => r - k });
  const output = at("out");
  await planDataset({ inputs: [input], output });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const asked = new EventTarget();
  Object.assign(promises, {
    readdir: () => {
      asked.dispatchEvent(new Event("asked"));
      return new Promise(() => {});
    },
  });
  syncBuiltinESMExports();
  const isAsked = once(asked, "asked");
  const finalized = finalizeDataset({ output });
  const refused = expect(finalized).rejects.toMatchObject({
    code: "ERR_STALLED",
  });
  await isAsked;
  await vi.advanceTimersByTimeAsync(600_000);
  await refused;
});
