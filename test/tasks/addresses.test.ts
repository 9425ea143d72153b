import { expect, test } from "vitest";
import {
  allocateKernelMemory,
  MAX_MEMORY_BYTES,
} from "../../src/tasks/kernel-memory.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";

const at = workDirectory();

test("slots have addresses of 32 bits, however many threads are asked for", async () => {
  const input = at("wide.arrow");
  await built.generate({ output: input, rows: 100, classes: 100_000 });
  const plan = (threads: number) =>
    built.dryRun({ input, output: at("out.arrow"), layout: "coo", threads });
  const two = await plan(2);
  expect(two.slots).toBe(5);
  const many = await plan(100);
  expect(201 * many.slotBytes).toBeGreaterThan(MAX_MEMORY_BYTES);
  expect(many.memoryBytes).toBeLessThanOrEqual(MAX_MEMORY_BYTES);
  expect(many.slots).toBeGreaterThan(100);
  expect(many.threads).toBe(100);
});

test("memory that has no addresses is refused", () => {
  for (const kernel of ["auto", "plain"] as const)
    expect(() => allocateKernelMemory(2 ** 32, kernel)).toThrow(
      `expected slots of at most ${MAX_MEMORY_BYTES} bytes, found 4294967296`,
    );
});
