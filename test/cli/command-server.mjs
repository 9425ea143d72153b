// Runs commands of the built command line one after another, in a process that keeps their code loaded.
import { setMaxListeners } from "node:events";

const [, , cli] = process.argv;
const STREAMS = ["stdout", "stderr"];
const { env } = process;
let written = {};
let runs = 0;

// Each command listens for signals until its process ends.
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
  // Another query makes it another module, which is run again; what it imports stays loaded.
  await import(`file://${cli}?run=${runs++}`);
  for (const event of ["uncaughtException", "exit"])
    process.removeAllListeners(event);
  process.send({ status: process.exitCode, ...written });
});
