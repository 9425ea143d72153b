// Passes commands to command-server.mjs while the calling thread blocks.
import { fork } from "node:child_process";
import { workerData } from "node:worker_threads";

const { server, cli, port, state } = workerData;
/** Exit code of a stopped command, which ends its process a little later, as a worker of a queue does; the next command needs a new process. */
const STOPPED = 75;
let child;
/** Whether a command has not been answered. A process may end after it has answered. */
let isPending = false;
let isWorker = false;
port.on("message", (command) => {
  isPending = true;
  isWorker = command.args.includes("worker");
  child ??= start();
  child.send(command);
});

function start() {
  const started = fork(server, [cli], { execArgv: ["--single-threaded-gc"] });
  return started
    .on("message", (finished) => {
      if (finished.status === STOPPED || isWorker) {
        child = undefined;
        started.kill();
      }
      answer(finished);
    })
    .on("exit", (status) => {
      if (child !== started) return;
      child = undefined;
      answer({ status, stdout: "", stderr: "" });
    });
}

function answer(finished) {
  if (!isPending) return;
  isPending = false;
  port.postMessage(finished);
  Atomics.store(state, 0, 1);
  Atomics.notify(state, 0);
}
