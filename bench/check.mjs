// Is an output right? An independent computation (peers/check.py) judges it.
import { runPython, script } from "./python.mjs";

/** What was checked; throws with the first difference. */
export async function checkOutput(python, { name, input, output, results }) {
  const kind = name.startsWith("softjac") ? "softjac" : "peer";
  const args = ["ame", "fisher"].includes(results)
    ? [script("peers/effects.py"), "check", results, input, output]
    : [script("peers/check.py"), input, output, kind, results];
  try {
    return JSON.parse(await runPython(python.path, args));
  } catch (cause) {
    throw new Error(`${name}: ${cause.message}`, { cause });
  }
}
