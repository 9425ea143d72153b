import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.js";
import { helpText } from "../../src/cli/help.js";
import { didYouMean } from "../../src/cli/nearest.js";
import { kebab } from "../../src/cli/option-text.js";
import { softjac } from "./support.js";

describe.each(COMMANDS.map((command) => [command.name, command] as const))(
  "the help of %s",
  (name, command) => {
    const text = helpText(COMMANDS, command);

    test("says what it is for, then examples, then every option once, in its group", () => {
      expect(softjac(name, "--help").stdout).toBe(`${text}\n`);
      const order = [`softjac ${name} `, "\n\nExamples:\n", "\n\nOther:\n"];
      const places = order.map((part) => text.indexOf(part));
      expect(places.every((place) => place >= 0)).toBe(true);
      expect(places).toEqual([...places].sort((a, b) => a - b));
      const shown = [...command.options, ...command.settings].filter(
        ({ isSecret }) => !isSecret,
      );
      for (const { name, group } of shown) {
        const rows = [
          ...text.matchAll(
            new RegExp(
              `^ {2}(?:-\\w, | {4})--(?:\\[no-\\])?${kebab(name)}(?= |$)`,
              "gm",
            ),
          ),
        ];
        expect(rows.length, name).toBe(1);
        const before = text.slice(0, rows[0]?.index);
        const groups = [...before.matchAll(/^(\S+):$/gm)];
        expect(groups.at(-1)?.[1], name).toBe(group);
      }
    });

    test.each([40, 80, 100, 300])("keeps to %d columns", (columns) => {
      const lines = helpText(COMMANDS, command, columns).split("\n");
      for (const line of lines) {
        expect(line).toBe(line.trimEnd());
        // Names of options, choices and formulas are not cut in two.
        const most = Math.min(100, columns);
        if (/ /.test(line.trim()) && !/^ +-|^ {2}\S+ {2,}\S/.test(line))
          expect(line.length, line).toBeLessThanOrEqual(most);
      }
    });
  },
);

test("softjac's own help names every command and fits a narrow terminal", () => {
  const text = helpText(COMMANDS, undefined, 40);
  for (const { name, summary } of COMMANDS) {
    expect(text).toMatch(new RegExp(`^ {2}${name}( |$)`, "m"));
    expect(text.replace(/\s+/g, " ")).toContain(summary);
  }
});

test.each([
  ["rnu", "run"],
  ["verfy", "verify"],
  ["run_shard", "run-shard"],
  ["finalise", "finalize"],
  ["stats", "status"],
])("a mistyped command, %s, is answered with %s", (typed, meant) => {
  const { status, stderr } = softjac(typed);
  expect(status).toBe(64);
  expect(stderr).toContain(`found ${typed} (did you mean ${meant}?)`);
});

test("a mistyped option is answered with the nearest one", () => {
  const { status, stderr } = softjac("run", "a", "-o", "b", "--treshold", "1");
  expect(status).toBe(64);
  expect(stderr).toBe(
    "softjac: expected options that softjac run knows, found --treshold (did you mean --threshold?) (softjac run --help)\n",
  );
});

test("what is like nothing is not answered with anything", () => {
  expect(didYouMean("frobnicate", ["run", "verify"])).toBe("");
  expect(didYouMean("--limit", ["--emit", "--input"])).toBe("");
  expect(didYouMean("", ["run"])).toBe("");
  expect(didYouMean("x", [])).toBe("");
});
