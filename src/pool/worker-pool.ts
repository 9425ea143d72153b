import {
  allocateKernelMemory,
  type KernelMemory,
} from "../tasks/kernel-memory.js";
import type {
  Reply,
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

/** Threads and memory, created when needed and reused from run to run: creating either takes longer than a small run. */
export class WorkerPool {
  #threads: Promise<Threads<TaskMessage, Reply>> | null = null;
  #closed: Promise<void> | null = null;
  #memory: KernelMemory | null = null;

  /** Number of tasks that threads are working on. */
  tasksInFlight = 0;

  /** Starts `count` threads unless there are some. Start-up errors are reported to the first task, not here. */
  async start(count: number): Promise<void> {
    this.#threads ??= openThreads(WORKER_URL, count, {
      // Workers create a few views per row block. Collecting them early keeps peak memory independent of the run's length.
      maxYoungGenerationSizeMb: 2,
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
    if (threads === 0) {
      const { taskRunner } = await import("../../workers/run-task.js");
      const run = taskRunner(context);
      return {
        async run(task) {
          const reply = run(task);
          // Let signals, timers and progress run between tasks.
          await new Promise(setImmediate);
          return reply;
        },
      };
    }
    await this.start(threads);
    const workers = await (this.#threads as Promise<
      Threads<TaskMessage, Reply>
    >);
    const run = runs++;
    return {
      run: (task) => {
        this.tasksInFlight++;
        return workers.run({ run, context, task }).finally(() => {
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
