import { expect, test, vi } from "vitest";
import { Sequential } from "../../src/io/sequential.js";
import { openCompressedWriter } from "../../src/output/compressed-writer.js";
import { positionBatch } from "../../src/output/jacobian-file.js";
import type { CompressReply } from "../../src/tasks/compress-tasks.js";
import { turns } from "../support/run-context.js";

const compressed: ((reply: CompressReply) => void)[] = [];

vi.mock(import("../../src/pool/piscina-threads.js"), () => ({
  openThreads: async <Task, Reply>() => ({
    run: (_: Task) =>
      new Promise<Reply>((resolve) => compressed.push(resolve as never)),
    close: async () => {},
  }),
}));
vi.mock(import("../../src/io/system-error.js"), async (original) => ({
  ...(await original()),
  checkPackageFile: () => {},
}));

test("batches are written in order, whichever is compressed first", async () => {
  const sizes: number[] = [];
  const file = new Sequential(async ({ byteLength }) => {
    sizes.push(byteLength);
  });
  const output = { fd: -1, direct: -1, compare: false, reportWritten() {} };
  const spec = { fields: [], metadata: [] };
  const writer = await openCompressedWriter("lz4", 2, output, spec, file);
  const shape = { rows: 64, results: [], nullableResults: false, copied: [] };
  const nulls = { copied: [], results: 0 };
  for (let k = 0; k < 2; k++)
    await writer.batch(positionBatch(shape, 0), nulls, []);
  const [first, second] = compressed;
  second?.({ buffers: [], bodyBytes: 8 });
  await turns(3);
  expect(sizes).toEqual([]);
  first?.({ buffers: [], bodyBytes: 16 });
  await turns(3);
  expect(sizes.filter((_, n) => n % 2 === 1)).toEqual([16, 8]);
});
