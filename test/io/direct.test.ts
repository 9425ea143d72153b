import {
  closeSync,
  constants,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { expect, test } from "vitest";
import { openLogits } from "../../src/input/open-logits.js";
import { SequentialFile } from "../../src/io/sequential.js";
import {
  openDirect,
  padBefore,
  writePages,
} from "../../src/io/write-or-compare.js";
import { resolveOptions } from "../../src/options/run-options.js";
import { openPending } from "../../src/output/commit.js";
import { planFixed } from "../../src/run/fixed-plan.js";
import { openOptions } from "../../src/run/open-options.js";
import { workerContext } from "../../src/run/run-context.js";
import { writeFixed } from "../../src/run/write-fixed.js";
import type { Task } from "../../src/tasks/run-tasks.js";
import { taskRunner } from "../../workers/run-task.js";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { random } from "../support/random.js";
import { contextOf } from "../support/run-context.js";

const at = workDirectory();

/** An empty file, open as an output is. False for `direct` where this file system has no direct writes. */
function opened(name: string): {
  fd: number;
  direct: number;
  compare: false;
  path: string;
} {
  const path = at(name);
  writeFileSync(path, "");
  const direct = openDirect(path);
  if (direct < 0)
    console.log("direct: this file system has none; tested without");
  return { fd: openSync(path, constants.O_RDWR), direct, path, compare: false };
}

const memory = () =>
  new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }).buffer;

test("writePages writes what it is given, wherever it starts and ends in its pages", () => {
  const buffer = memory();
  const uniform = random(5);
  const source = new Uint8Array(buffer);
  for (let k = 0; k < source.length; k++) source[k] = 256 * uniform();
  const target = opened("pages");
  const expected = new Uint8Array(3 << 20);
  let end = 0;
  for (let n = 0; n < 200; n++) {
    const position = Math.floor(uniform() * (2 << 20));
    const address = n % 4 ? padBefore(0, position) + 4096 * (n % 7) : n;
    const bytes = Math.floor(uniform() * (n % 3 ? 400_000 : 70_000));
    writePages(target, buffer, address, bytes, position);
    expected.set(source.subarray(address, address + bytes), position);
    end = Math.max(end, position + bytes);
  }
  expect(readFileSync(target.path).equals(expected.subarray(0, end))).toBe(
    true,
  );
  closeSync(target.fd);
});

test("padBefore: an address stands in its page as a position does", () => {
  for (const [address, position] of [
    [0, 0],
    [64, 5000],
    [8191, 1],
    [123_456, 2 ** 40 + 17],
  ] as const) {
    const pad = padBefore(address, position);
    expect(pad).toBeGreaterThanOrEqual(0);
    expect(pad).toBeLessThan(4096);
    expect((address + pad) % 4096).toBe(position % 4096);
  }
});

test.each([true, false])(
  "SequentialFile, past the page cache: %s",
  async (direct) => {
    const target = opened(`sequential-${direct}`);
    const file = new SequentialFile(target.fd, direct ? target.direct : -1);
    const uniform = random(6);
    const expected: Buffer[] = [];
    for (let n = 0; n < 60; n++) {
      const bytes = new Uint8Array(uniform() * (n % 9 ? 1000 : 9 << 20));
      bytes.fill(n + 1);
      await file.add(bytes);
      expected.push(Buffer.from(bytes));
      bytes.fill(0);
      const position = file.position + (n % 64);
      await file.add(new Uint8Array(0), position);
      expected.push(Buffer.alloc(n % 64));
      expect(file.position).toBe(position);
    }
    await file.finish();
    const all = Buffer.concat(expected);
    expect(readFileSync(target.path).equals(all)).toBe(true);
    closeSync(target.fd);
  },
);

test.each([
  { rows: 20_000, classes: 20, options: {} },
  { rows: 3, classes: 500, options: {} },
  {
    rows: 20_000,
    classes: 20,
    options: {
      onBadRow: "skip" as const,
      emit: ["softmax", "jacobian", "argmax"] as const,
    },
  },
])(
  "a planned run past the page cache has the bytes of one through it: $rows x $classes, $options",
  async ({ rows, classes, options: extra }) => {
    const input = at(`in-${rows}.arrow`);
    writeLogits(input, {
      rows,
      classes,
      batchRows: [777],
      logit: (r, k) =>
        k === 1 && r % 1000 === 7 && extra.onBadRow
          ? Number.NaN
          : Math.sin(r * 9 + k) * 4,
    });
    const usual = at("usual.arrow");
    await built.run({ input, output: usual, force: true, ...extra });

    const options = resolveOptions({
      input,
      output: at("direct.arrow"),
      force: true,
      threads: 1,
      ...extra,
    });
    const logits = await openLogits(input, openOptions(options));
    const plan = planFixed(options, logits);
    const pending = await openPending(options.output, plan.layout.bytes, {
      ...options,
      direct: true,
    });
    const pages = Math.ceil((plan.slots * plan.slot.bytes) / 65536);
    // On a page, as the memory of the SIMD kernel is.
    const { buffer } = new WebAssembly.Memory({
      initial: pages,
      maximum: pages,
      shared: true,
    });
    const context = contextOf(plan, options, logits, pending);
    const setup = { module: null, memory: null, buffer };
    const run = taskRunner(workerContext(plan, logits, pending, setup, 1));
    const pool = { run: async (task: Task) => run(task) };
    const writeEnd = await writeFixed(plan, { ...context, buffer, pool });
    await writeEnd();
    await pending.commit();
    logits.close();
    expect(readFileSync(options.output).equals(readFileSync(usual))).toBe(true);
  },
  60_000,
);

test("a run over few of very many entries goes past it, too", async () => {
  const input = at("few.arrow");
  const classes = 3000;
  writeLogits(input, {
    rows: 12,
    classes,
    logit: (r, k) => -((k * 7 + r) % classes) / 2,
  });
  const output = at("few-out.arrow");
  const options = { input, output, layout: "coo", threshold: 1e-5 } as const;
  const { maxOutputBytes } = await built.dryRun(options);
  expect(maxOutputBytes).toBeGreaterThan(2 ** 31);
  const report = await built.run(options);
  const bytes = readFileSync(output);
  expect(bytes.byteLength).toBe(report.outputBytes);
  await built.run({ ...options, sync: false, force: true });
  expect(readFileSync(output).equals(bytes)).toBe(true);
});
