// The Python that runs the peers, the generator, the check and the stopwatch.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const packages = ["numpy", "pyarrow", "torch", "jax"];
const versionsScript = `
import importlib.metadata, json, platform, sys
versions = {name: importlib.metadata.version(name) for name in sys.argv[1:]}
print(json.dumps({"python": platform.python_version(), **versions}))
`;

/** { path, versions }; throws a sentence that says how to make one. */
export async function findPython() {
  const path =
    process.env.PEERS_PYTHON ??
    fileURLToPath(new URL(".work/venv/bin/python", import.meta.url));
  try {
    const output = await runPython(path, ["-c", versionsScript, ...packages]);
    return { path, versions: JSON.parse(output) };
  } catch (cause) {
    throw new Error(
      `no Python with ${packages.join(", ")} at ${path}: make one with "python3 -m venv bench/.work/venv && bench/.work/venv/bin/pip install -r bench/peers/requirements.txt", or name one in PEERS_PYTHON.`,
      { cause },
    );
  }
}

/** Standard output; throws with standard error when the script fails. */
export async function runPython(path, args) {
  try {
    return (await promisify(execFile)(path, args)).stdout;
  } catch (cause) {
    throw new Error(cause.stderr?.trim() || cause.message, { cause });
  }
}

export function script(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}
