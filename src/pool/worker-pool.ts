import {
  allocateKernelMemory,
  type KernelMemory,
} from "../tasks/kernel-memory.js";
import type {
  Reply,
  Steps,
  Task,
  TaskMessage,
  WorkerContext,
} from "../tasks/run-tasks.js";
import { openThreads, type Threads } from "./piscina-threads.js";

/** Runs tasks; the slots of the caller limit how many are in flight. */
export interface TaskPool {
  run(task: Task): Promise<Reply>;
}

/** The built worker, next to the bundle that contains this module. */
const WORKER_URL = new URL("./rows.js", import.meta.url);

/** Number of runs of this process. Workers cache what they prepared for the last run. */
let runs = 0;

/** Milliseconds that the main thread computes before it handles signals, timers and replies of other threads. */
const STEP_MS = 4;

/** Threads and memory, created when needed and reused from run to run: creating either takes longer than a small run. */
export class WorkerPool {
  #threads: Promise<Threads<TaskMessage, Reply>> | null = null;
  #closed: Promise<void> | null = null;
  #memory: KernelMemory | null = null;

  /** Number of tasks that threads are working on. */
  tasksInFlight = 0;

  /** @param mainThread whether the main thread is one of the threads: it computes while the others start */
  constructor(readonly mainThread = false) {}

  /**
   * Starts threads unless there are some, so that `count` can compute. Start-up errors are reported to the first task, not
   * here.
   */
  async start(count: number): Promise<void> {
    const started = count - Number(this.mainThread);
    if (started === 0) return;
    this.#threads ??= openThreads(WORKER_URL, started, {
      // Workers create a few views per row block. Collecting them early keeps peak memory independent of the run's length.
      maxYoungGenerationSizeMb: 2,
      // While the main thread computes, a worker goes on with its next task.
      concurrentTasksPerWorker: this.mainThread ? 2 : 1,
    });
    await this.#threads.catch(() => {});
  }

  /** Returns memory of at least `bytes` for the slots of one run at a time. @throws InternalError */
  memory(bytes: number): KernelMemory {
    if (!this.#memory || this.#memory.buffer.byteLength < bytes)
      this.#memory = allocateKernelMemory(bytes);
    return this.#memory;
  }

  /** Returns a pool for one run. With 0 threads, tasks run on the main thread: small runs end before a thread has started. */
  async pool(threads: number, context: WorkerContext): Promise<TaskPool> {
    if (threads > 0) await this.start(threads);
    const workers = threads > 0 ? await this.#threads : null;
    const run = runs++;
    const { taskRunner } =
      workers && !this.mainThread
        ? { taskRunner: null }
        : await import("../../workers/run-task.js");
    const begin = taskRunner?.(context);
    let isComputing = false;
    // Tasks on the main thread follow one another, as on every other thread: they share the sums of the runner.
    let before: Promise<unknown> = Promise.resolve();
    const compute = async (task: Task): Promise<Reply> => {
      const message = { run, context, task };
      if (!begin || (isComputing && workers))
        return (workers as Threads<TaskMessage, Reply>).run(message);
      isComputing = true;
      const reply = before.then(() => finishInSteps(begin(task)));
      before = reply.catch(() => {});
      return reply.finally(() => {
        isComputing = false;
      });
    };
    return {
      run: (task) => {
        this.tasksInFlight++;
        return compute(task).finally(() => {
          this.tasksInFlight--;
        });
      },
    };
  }

  /** Ends the threads; the pool cannot be used again. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      const threads = await this.#threads?.catch(() => null);
      await threads?.close();
    })();
    return this.#closed;
  }
}

/** Computes a task on the main thread, which does other work before it and between its steps. */
async function finishInSteps(steps: Steps): Promise<Reply> {
  let pauseAt = 0;
  for (;;) {
    if (performance.now() >= pauseAt) {
      await new Promise(setImmediate);
      pauseAt = performance.now() + STEP_MS;
    }
    const step = steps.next();
    if (step.done) return step.value;
  }
}
