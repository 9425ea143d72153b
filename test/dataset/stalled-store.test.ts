import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { afterEach, expect, test, vi } from "vitest";
import { planDataset } from "../../src/dataset/run-dataset.js";
import { finalizeDataset } from "../../src/dataset/tasks.js";
import { openStore } from "../../src/storage/open-store.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { refused } from "../support/refused.js";

const at = workDirectory();
const { readdir } = promises;

afterEach(() => {
  Object.assign(promises, { readdir });
  syncBuiltinESMExports();
  vi.useRealTimers();
});

test("every answer and every failure of a store counts as progress", async () => {
  const alive = vi.fn();
  const store = await openStore(at("folder"), { alive });
  expect(await store.head(at("nothing"))).toBe(null);
  expect((await store.list(at("."))).size).toBe(0);
  expect(alive).toHaveBeenCalledTimes(2);
  const put = store.putIfAbsent(at("no/folder/x"), Buffer.of(1));
  await expect(put).rejects.toThrow();
  expect(alive).toHaveBeenCalledTimes(3);
  expect(store.temporaryName()).toContain(at("folder"));
});

test("finalize abandons a file system that does not answer", async () => {
  const [input, output] = [at("in.arrow"), at("out")];
  writeLogits(input, { rows: 4, classes: 2, logit: (r, k) => r - k });
  await planDataset({ inputs: [input], output });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const asked = new Promise<void>((resolve) => {
    const readdir = () => new Promise(() => resolve());
    Object.assign(promises, { readdir });
  });
  syncBuiltinESMExports();
  const finalized = refused(
    finalizeDataset({ output }),
    "ERR_STALLED",
    "no progress for 600 s (--stall-timeout), because a file system or a store does not answer; completed shards are kept; run the same command again to continue",
  );
  await asked;
  await vi.advanceTimersByTimeAsync(600_000);
  await finalized;
});
