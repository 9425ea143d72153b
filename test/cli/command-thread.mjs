// Passes commands to the process that runs them, while the thread that asked for them waits.
import { fork } from "node:child_process";
import { workerData } from "node:worker_threads";

const { server, cli, port, state } = workerData;
let child;
port.on("message", (command) => {
  child ??= start();
  child.send(command);
});

function start() {
  return fork(server, [cli], { execArgv: [] })
    .on("message", answer)
    .on("exit", (status) => {
      child = undefined;
      answer({ status, stdout: "", stderr: "" });
    });
}

function answer(finished) {
  port.postMessage(finished);
  Atomics.store(state, 0, 1);
  Atomics.notify(state, 0);
}
