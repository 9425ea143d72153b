import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";
import { canMount, mountSmall, unmount } from "../support/machine.js";

const at = workDirectory();
const input = at("in.arrow");
// 24 MB of output in three batches of work for the pool.
writeLogits(input, {
  rows: 3000,
  classes: 31,
  logit: (r, k) => (r % 97) / (k + 1),
});

function temporaryFiles(): string[] {
  return readdirSync(dirname(input)).filter((name) => name.endsWith(".tmp"));
}

test("an output that exists is refused and stays; force replaces it when the new one is complete", async () => {
  const output = at("exists.arrow");
  writeFileSync(output, "precious");
  await expect(built.run({ input, output })).rejects.toMatchObject({
    code: "ERR_OUTPUT_EXISTS",
    message: `${output} already exists; use --force to overwrite it`,
  });
  expect(readFileSync(output, "utf8")).toBe("precious");

  const seen: string[] = [];
  await built.run(
    { input, output, force: true, threads: 2 },
    { onProgress: () => seen.push(readFileSync(output, "utf8")) },
  );
  expect(seen.length).toBeGreaterThan(1);
  expect(new Set(seen)).toEqual(new Set(["precious"]));
  expect(readFileSync(output).subarray(0, 6).toString()).toBe("ARROW1");
  expect(temporaryFiles()).toEqual([]);
});

test("a failed run with force leaves the old output", async () => {
  const bad = at("bad.arrow");
  writeLogits(bad, {
    rows: 3000,
    classes: 31,
    logit: (r) => (r === 2999 ? Number.NaN : 0),
  });
  const output = at("old.arrow");
  writeFileSync(output, "precious");
  await expect(
    built.run({ input: bad, output, force: true }),
  ).rejects.toMatchObject({ code: "ERR_BAD_ROW", row: 2999 });
  expect(readFileSync(output, "utf8")).toBe("precious");
  expect(temporaryFiles()).toEqual([]);
});

test("directories, links and the input itself are never replaced", async () => {
  const directory = at("directory");
  mkdirSync(directory);
  const link = at("link.arrow");
  symlinkSync(at("elsewhere.arrow"), link);
  for (const [output, found] of [
    [directory, "a directory"],
    [link, "a symbolic link"],
    ["/dev/null", "a device or pipe"],
  ] as const)
    await expect(
      built.run({ input, output, force: true }),
    ).rejects.toMatchObject({
      code: "ERR_OUTPUT_EXISTS",
      message: `${output} is ${found}; choose another path`,
    });
  expect(existsSync(at("elsewhere.arrow"))).toBe(false);
  const hardLink = at("same.arrow");
  linkSync(input, hardLink);
  for (const output of [input, hardLink])
    await expect(
      built.run({ input, output, force: true }),
    ).rejects.toMatchObject({
      code: "ERR_USAGE",
      message: `output: ${output} is the same file as the input ${input}; choose another path`,
    });
});

test("two runs to one output at once: one wins whole, the other refuses", async () => {
  const output = at("race.arrow");
  const runs = await Promise.allSettled(
    [1, 2].map(() => built.run({ input, output, threads: 1 })),
  );
  expect(runs.map(({ status }) => status).sort()).toEqual([
    "fulfilled",
    "rejected",
  ]);
  const lost = runs.find(
    ({ status }) => status === "rejected",
  ) as PromiseRejectedResult;
  expect(lost.reason).toMatchObject({ code: "ERR_OUTPUT_EXISTS" });
  expect(temporaryFiles()).toEqual([]);
});

test("an abort in the middle stops between chunks and leaves nothing", async () => {
  const output = at("aborted.arrow");
  const controller = new AbortController();
  let done = 0;
  const running = built.run(
    { input, output, threads: 2, chunkRows: 100 },
    {
      signal: controller.signal,
      onProgress: (rowsDone) => {
        done = rowsDone;
        controller.abort();
      },
    },
  );
  await expect(running).rejects.toMatchObject({
    code: "ERR_ABORTED",
    report: { status: "failed" },
  });
  expect(done).toBeLessThan(3000);
  expect(existsSync(output)).toBe(false);
  expect(temporaryFiles()).toEqual([]);
});

test("no directory, no permission: refused before anything is written", async () => {
  await expect(
    built.run({ input, output: at("nowhere/out.arrow") }),
  ).rejects.toMatchObject({ code: "ERR_IO" });
  await expect(
    built.run({ input: at("none.arrow"), output: at("x") }),
  ).rejects.toMatchObject({
    code: "ERR_INPUT_MISSING",
    message: `${at("none.arrow")}: no such file or directory`,
  });
});

test.skipIf(!canMount())(
  "a full disk: refused before starting where it can be known, exit 74, nothing left",
  async () => {
    const mount = at("tiny");
    expect(mountSmall(mount, "4m")).toBe(true);
    try {
      await expect(
        built.run({ input, output: `${mount}/out.arrow` }),
      ).rejects.toMatchObject({
        code: "ERR_IO",
        message: expect.stringMatching(
          /not enough disk space in .+: \d+ bytes are needed, 4194304 are free; use --layout factored/,
        ),
      });
      expect(readdirSync(mount)).toEqual([]);
    } finally {
      unmount(mount);
    }
  },
);

test("a name as long as the system takes, a mode kept, a folder's name refused", async () => {
  const long = at(`${"n".repeat(240)}.arrow`);
  await built.run({ input, output: long });
  chmodSync(long, 0o600);
  await built.run({ input, output: long, force: true });
  expect(statSync(long).mode & 0o777).toBe(0o600);
  const folder = at("folder/");
  await expect(built.run({ input, output: folder })).rejects.toMatchObject({
    code: "ERR_USAGE",
    message: `output: expected a file name, found ${folder}`,
  });
});

test("without sync the bytes are the same", async () => {
  const [a, b] = [at("synced.arrow"), at("unsynced.arrow")];
  await built.run({ input, output: a });
  await built.run({ input, output: b, sync: false });
  expect(readFileSync(a).equals(readFileSync(b))).toBe(true);
});

test("what onProgress throws comes back as it is, and nothing is left", async () => {
  const own = new Error("my own");
  const output = at("thrown.arrow");
  const failing = built.run(
    { input, output, threads: 2, chunkRows: 100 },
    {
      onProgress: () => {
        throw own;
      },
    },
  );
  await expect(failing).rejects.toBe(own);
  expect(existsSync(output)).toBe(false);
  expect(temporaryFiles()).toEqual([]);
});
