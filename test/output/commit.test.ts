import fs from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { checkName, HTML } from "../../src/output/written-files.js";
import { built } from "../support/built.js";
import { refused } from "../support/refused.js";
import { runsIn } from "../support/runs.js";

const { at, run, write, files, input, output } = runsIn();
// 24 MB of output in three batches of work for the pool.
write({ rows: 3000, classes: 31, logit: (r, k) => (r % 97) / (k + 1) });
const bad = write(
  { rows: 3000, classes: 31, logit: (r) => (r === 2999 ? Number.NaN : 0) },
  at("bad.arrow"),
);
/** Makes every chunk a task. */
const STEPS = { threads: 2, chunkRows: 100 };

beforeEach(() => fs.writeFileSync(output, "precious"));
const expectPrecious = () => {
  expect(fs.readFileSync(output, "utf8")).toBe("precious");
  expect(files(/\.tmp$/)).toEqual([]);
};

test("force replaces an output when the new one is complete", async () => {
  const seen: string[] = [];
  const onProgress = () => seen.push(fs.readFileSync(output, "utf8"));
  const { bytes } = await run({ threads: 2 }, { onProgress });
  expect(seen.length).toBeGreaterThan(1);
  expect(new Set(seen)).toEqual(new Set(["precious"]));
  expect(bytes.subarray(0, 6).toString()).toBe("ARROW1");
  expect(files(/\.tmp$/)).toEqual([]);
});

type Act = (stop: AbortController) => void;
type Case = [name: string, options: object, act: Act, error: object];
const throwMine = () => {
  throw new RangeError("mine");
};
const MINE = { name: "RangeError", message: "mine" };
const ABORTED = { code: "ERR_ABORTED", report: { status: "failed" } };

test.each<Case>([
  ["a bad row", { input: bad }, () => {}, { code: "ERR_BAD_ROW", row: 2999 }],
  ...[
    STEPS,
    { ...STEPS, layout: "coo" },
    { ...STEPS, compress: "lz4" },
  ].flatMap((given): Case[] => [
    ["an abort", given, (stop) => stop.abort(), ABORTED],
    ["an error of onProgress", given, throwMine, MINE],
  ]),
])("%s leaves the old output: %j", async (_, options, act, error) => {
  const stop = new AbortController();
  let done = 0;
  const onProgress = (rowsDone: number) => {
    done = rowsDone;
    act(stop);
  };
  const hooks = { signal: stop.signal, onProgress };
  await expect(run(options, hooks)).rejects.toMatchObject(error);
  expect(done).toBeLessThan(3000);
  expectPrecious();
});

test("a path of a directory is refused before anything is written", async () => {
  const message = `output: expected a file name, found ${at("folder/")}`;
  await refused(run({ output: at("folder/") }), "ERR_USAGE", message);
  expectPrecious();
});

test("of two runs to one output at once, one wins whole and the other refuses", async () => {
  const race = { output: at("race.arrow"), force: false, threads: 1 };
  const runs = await Promise.allSettled([run(race), run(race)]);
  const [lost, ...others] = runs.filter(({ status }) => status === "rejected");
  expect(others).toEqual([]);
  expect(lost).toMatchObject({ reason: { code: "ERR_OUTPUT_EXISTS" } });
  expectPrecious();
});

test("force does not replace a link that appears during the run", async () => {
  const path = at("late.arrow");
  const onProgress = () => {
    if (!fs.existsSync(path)) fs.symlinkSync(output, path);
  };
  const running = run({ ...STEPS, output: path }, { onProgress });
  const message = `${path} is a symbolic link; choose another path`;
  await refused(running, "ERR_OUTPUT_EXISTS", message);
  expectPrecious();
});

test("a name may be as long as the system takes; a replaced file keeps its mode", async () => {
  const long = at(`${"n".repeat(240)}.arrow`);
  await run({ output: long });
  fs.chmodSync(long, 0o600);
  await run({ output: long });
  expect(fs.statSync(long).mode & 0o777).toBe(0o600);
});

describe.each([false, true])("force %s", (force) => {
  test.each([
    ["a symbolic link", (path: string) => fs.symlinkSync(at("victim"), path)],
    ["another file", (path: string) => fs.writeFileSync(path, "foreign")],
  ])(
    "a temporary file that was replaced by %s during the run is not published",
    async (name, replace) => {
      fs.writeFileSync(at("victim"), "precious");
      const path = force ? output : at(`${name}.arrow`);
      let temporary = "";
      const onProgress = () => {
        if (temporary) return;
        temporary = at(files(/tmp$/)[0] ?? "");
        fs.renameSync(temporary, at(`moved ${name} ${force}`));
        replace(temporary);
      };
      const options = { output: path, force, threads: 1, chunkRows: 100 };
      const error = await run(options, { onProgress }).catch((cause) => cause);
      expect(error).toMatchObject({
        code: "ERR_IO",
        message: `${path}: is not written, because another process replaced its temporary file ${temporary}`,
      });
      expect(fs.existsSync(path)).toBe(force);
      for (const path of [output, at("victim")])
        expect(fs.readFileSync(path, "utf8")).toBe("precious");
    },
  );
});

describe("a name must not promise another format than the file has", () => {
  const arrow = { writes: "softjac writes Arrow files", extensions: ["arrow"] };
  test("names of other formats are refused, in any case", () => {
    for (const extension of "parquet csv json npz CSV gz html".split(" "))
      expect(() => checkName(`a.${extension}`, arrow)).toThrow(
        `a.${extension}: softjac writes Arrow files; use a name that ends in .arrow`,
      );
    for (const name of ["a.arrow", "a", "a.ARROW", "run-2.5"])
      expect(() => checkName(name, arrow)).not.toThrow();
  });

  test("all commands check names", async () => {
    const [csv, page] = [at("a.csv"), at("page.arrow")];
    for (const name of ["a.arrows", "a.feather", "a.ipc"])
      await run({ output: at(name) });
    const shape = { rows: 3, classes: 2 };
    for (const [made, path, { writes, extensions }] of [
      [built.run({ input, output: csv }), csv, arrow],
      [built.dryRun({ input, output: csv }), csv, arrow],
      [built.generate({ ...shape, output: csv }), csv, arrow],
      [built.report({ results: at("a.ipc"), output: page }), page, HTML],
    ] as const)
      await refused(
        ...([made, "ERR_USAGE"] as const),
        `${path}: ${writes}; use a name that ends in .${extensions[0]}`,
      );
    expect([csv, page].filter(fs.existsSync)).toEqual([]);
  });
});
