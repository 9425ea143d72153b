// Runs the built command several times in one process, which loads its code once.
import { setMaxListeners } from "node:events";
import { createRequire } from "node:module";

const [, , cli] = process.argv;
const require = createRequire(import.meta.url);
const STREAMS = ["stdout", "stderr"];
const { env } = process;
let written = {};

// Each command adds listeners for signals.
setMaxListeners(0);
for (const name of STREAMS)
  process[name].write = (chunk, ...rest) => {
    written[name] += chunk;
    rest.at(-1)?.();
    return true;
  };

process.on("message", async ({ args, cwd, env: given }) => {
  written = { stdout: "", stderr: "" };
  for (const name of Object.keys(env)) delete env[name];
  Object.assign(env, given);
  process.chdir(cwd);
  process.argv = [process.execPath, cli, ...args];
  process.exitCode = undefined;
  // Evaluates the module again, but not the modules that it loads.
  delete require.cache[cli];
  await require(cli).ended;
  for (const event of ["uncaughtException", "exit"])
    process.removeAllListeners(event);
  process.send({ status: process.exitCode, ...written });
});
