// Runs the built command several times in one process, which loads its code once.
import { setMaxListeners } from "node:events";

const [, , cli] = process.argv;
const STREAMS = ["stdout", "stderr"];
const { env } = process;
let written = {};
let runs = 0;

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
  // A new query string evaluates the module again, but not its imports.
  await import(`file://${cli}?run=${runs++}`);
  for (const event of ["uncaughtException", "exit"])
    process.removeAllListeners(event);
  process.send({ status: process.exitCode, ...written });
});
