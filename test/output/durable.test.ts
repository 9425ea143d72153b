import { dirname } from "node:path";
import { describe, expect, test } from "vitest";
import { DIGITS } from "../cli/support.js";
import { workDirectory } from "../support/logits-input.js";
import { notDurable, recordedCalls } from "../support/recorded-calls.js";

const at = workDirectory();
const args = (output: string) => ["run", DIGITS, "-o", output, "--quiet"];

describe("an output is synced before it gets its name, and its directory after", () => {
  test.each([
    ["by a link", "plain.arrow", [], {}, "link"],
    ["replaced by a rename", "plain.arrow", ["--force"], {}, "rename"],
    [
      "renamed where there are no hard links",
      "no-links.arrow",
      [],
      { LINK_FAILS: "EPERM" },
      "rename",
    ],
    ["on one thread", "one.arrow", ["--threads", "1"], {}, "link"],
    [
      "of entries",
      "entries.arrow",
      ["--layout", "coo", "--emit", "jacobian"],
      {},
      "link",
    ],
    ["compressed", "compressed.arrow", ["--compress", "lz4"], {}, "link"],
  ])("%s", (_, name, more, env, call) => {
    const output = at(name);
    const made = recordedCalls([...args(output), ...more], env);
    expect(made.status, made.stderr).toBe(0);
    const named = made.calls.filter(
      ({ to, error }) => to === output && error === undefined,
    );
    expect(named).toMatchObject([{ call }]);
    expect(notDurable(made.calls)).toEqual([]);
  });

  test("--no-sync: nothing is synced", () => {
    const output = at("unsynced.arrow");
    const made = recordedCalls([...args(output), "--no-sync"]);
    expect(made.status, made.stderr).toBe(0);
    expect(made.calls.filter(({ call }) => /sync$/.test(call))).toEqual([]);
    // The recorder sees what it is asked for.
    expect(notDurable(made.calls)).toEqual([
      `${output}: not synced before its link`,
      `${output}: ${dirname(output)} not synced after its link`,
    ]);
  });
});
