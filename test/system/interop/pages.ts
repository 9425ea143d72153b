import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { workDirectory } from "../../support/logits-input.js";

// Blocks of code in pages, which tests run as pasted.

export const root = fileURLToPath(new URL("../../..", import.meta.url));

export function readPage(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

export interface Block {
  language: string;
  code: string;
  /** Content of the `text` block that follows directly; else the comments behind the print statements. */
  printed: string;
}

/** Returns the blocks of a page. */
export function blocksOf(page: string): Block[] {
  const blocks = page.matchAll(
    /^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?/gms,
  );
  return [...blocks].map(([, language = "", code = "", text]) => {
    const comments = code.matchAll(
      /^ *(?:console\.log|print)\(.* (?:\/\/|#) (.*)$/gm,
    );
    const printed = [...comments].map(([, comment]) => `${comment}\n`).join("");
    return { language, code, printed: text ?? printed };
  });
}

/** Returns the code of the blocks of a page in a language. */
export function codeOf(page: string, language: string): string[] {
  return blocksOf(page).flatMap((block) =>
    block.language === language ? [block.code] : [],
  );
}

/**
 * Returns a function that makes empty directories in which `softjac` can be imported, and one that runs shell lines with
 * `softjac` on the PATH, as after installation, and returns what they print on either stream.
 */
export function workplace() {
  const at = workDirectory();
  const bin = at("bin");
  mkdirSync(bin);
  symlinkSync(`${root}bin/softjac.cjs`, join(bin, "softjac"));
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  return {
    directory(name: string): string {
      const path = at(name);
      mkdirSync(join(path, "node_modules"), { recursive: true });
      writeFileSync(join(path, "package.json"), "{}");
      symlinkSync(root, join(path, "node_modules", "softjac"));
      return path;
    },
    shell(code: string, cwd: string): string {
      const args = ["-eo", "pipefail", "-c", `exec 2>&1\n${code}`];
      const options = { cwd, env, encoding: "utf8" } as const;
      const { status, stdout } = spawnSync("bash", args, options);
      expect(status, stdout).toBe(0);
      return stdout;
    },
  };
}

/** Runs code of a JavaScript module, and returns what it prints. */
export function runModule(code: string, cwd: string): string {
  const args = ["--input-type=module", "-e", code];
  return execFileSync(process.execPath, args, { cwd, encoding: "utf8" });
}
