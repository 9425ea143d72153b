import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { built } from "../support/built.js";
import { workDirectory, writeLogits } from "../support/logits-input.js";

const at = workDirectory();
const input = at("in.arrow");
writeLogits(input, { rows: 3000, classes: 31, logit: (r, k) => r % (k + 2) });

test.each([
  ["a symbolic link", (path: string) => symlinkSync(at("victim"), path)],
  ["another file", (path: string) => writeFileSync(path, "foreign")],
])(
  "a temporary file that was replaced by %s during the run is not published",
  async (name, replace) => {
    writeFileSync(at("victim"), "precious");
    for (const force of [false, true]) {
      const output = at(`${name} ${force}.arrow`);
      if (force) writeFileSync(output, "old");
      let temporary = "";
      const running = built.run(
        { input, output, force, threads: 1, chunkRows: 100 },
        {
          onProgress() {
            if (temporary) return;
            const found = readdirSync(at(".")).find((n) => n.endsWith(".tmp"));
            temporary = join(at("."), found as string);
            renameSync(temporary, at(`moved ${name} ${force}`));
            replace(temporary);
          },
        },
      );
      const error = await running.catch((cause) => cause);
      expect(error).toMatchObject({
        code: "ERR_IO",
        message: `${output}: is not written, because another process replaced its temporary file ${temporary}`,
      });
      expect(existsSync(output)).toBe(force);
      if (force) expect(readFileSync(output, "utf8")).toBe("old");
      expect(readFileSync(at("victim"), "utf8")).toBe("precious");
    }
  },
);
