import {
  allocateKernelMemory,
  type KernelMemory,
} from "../slots/kernel-memory.js";
import { openThreads, type Threads } from "../threads/open-threads.js";
import type { Order, Reply, Task, WorkerSetup } from "./protocol.js";

/** Runs tasks somewhere; the caller bounds how many are in flight by its slots. */
export interface TaskPool {
  run(task: Task): Promise<Reply>;
}

/** Where the built worker stands, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./worker.cjs", import.meta.url);

/** Runs of this process so far: a worker keeps what it has made of the last one's setup. */
let runs = 0;

/**
 * The threads and the memory that runs work with, one run after the other: either takes longer to get than a small run.
 * Nothing is had before it is asked for.
 */
export class Crew {
  #threads: Promise<Threads<Order, Reply>> | null = null;
  #closed: Promise<void> | null = null;
  #tasksUnderWay = 0;
  #memory: KernelMemory | null = null;

  /** Starts `count` piscina workers, unless there are some. Fulfilled once they are starting, whatever else is done. */
  async start(count: number): Promise<void> {
    this.#threads ??= openThreads(WORKER_URL, count, {
      // A worker's garbage is a few views per stride: collected early, a run's peak does not grow with its length.
      maxYoungGenerationSizeMb: 2,
    });
    // What goes wrong is told to who has them do something.
    await this.#threads.catch(() => {});
  }

  /** Memory of `bytes` or more for the slots of one run at a time. @throws InternalError as allocateKernelMemory */
  memory(bytes: number): KernelMemory {
    if (!this.#memory || this.#memory.buffer.byteLength < bytes)
      this.#memory = allocateKernelMemory(bytes);
    return this.#memory;
  }

  /**
   * A pool for the tasks of one run, on `threads` workers, or for 0 on the main thread itself: a small run is over
   * before a thread has started.
   */
  async pool(threads: number, setup: WorkerSetup): Promise<TaskPool> {
    if (threads === 0) {
      const { taskRunner } = await import("../../workers/run-task.js");
      const run = taskRunner(setup);
      return {
        async run(task) {
          const reply = run(task);
          // Between tasks others have their turn: signals, timers, who asks how it goes.
          await new Promise(setImmediate);
          return reply;
        },
      };
    }
    await this.start(threads);
    const workers = await (this.#threads as Promise<Threads<Order, Reply>>);
    const run = runs++;
    return {
      run: (task) => {
        this.#tasksUnderWay++;
        return workers.run({ run, setup, task }).finally(() => {
          this.#tasksUnderWay--;
        });
      },
    };
  }

  /** Tasks that threads have been given, and have not done. */
  get tasksUnderWay(): number {
    return this.#tasksUnderWay;
  }

  /** Ends the threads; they can be asked for no more. */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      const threads = await this.#threads?.catch(() => null);
      await threads?.close();
    })();
    return this.#closed;
  }
}
