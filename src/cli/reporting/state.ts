import { hostname } from "node:os";
import type { DatasetEvent } from "../../dataset/events.js";
import type { RunProgress } from "../../run.js";

/** How far a command is: content of the status file, and what heartbeats say. */
export interface State {
  command: string;
  /** `running`, then the report's; of failures `stopped` where the same command goes on, else `failed`. */
  status: string;
  exitCode: number | null;
  host: string;
  pid: number;
  started: string;
  updated: string;
  /** Of a dataset's run. */
  fingerprint: string | null;
  shards: number | null;
  shardsDone: number | null;
  /** Of this call. */
  rows: number;
  rowsDone: number;
  badRows: number;
  bytes: number;
  skippedInputs: number;
  seconds: number;
  rowsPerSecond: number;
  /** Of the output as it grows. */
  bytesPerSecond: number;
  /** Of runs with threads, and how many of those are at work. */
  threads: number | null;
  threadsBusy: number | null;
  secondsLeft: number | null;
  memoryBytes: number;
}

/** A shorter pause is none. */
const STANDING_MS = 10_000;

/** Keeps the state of one command, from what it tells while it goes on. */
export class StateKeeper {
  readonly #start = performance.now();
  /** When the first rows were done: opening and planning are no part of their rate. */
  #rowsSince: number | null = null;
  /** When the number of rows done changed last. */
  #lastMoved: number | null = null;
  #bytesDone = 0;
  readonly #state: State;

  constructor(command: string) {
    this.#state = {
      command,
      status: "running",
      exitCode: null,
      host: hostname(),
      pid: process.pid,
      started: new Date().toISOString(),
      updated: "",
      fingerprint: null,
      shards: null,
      shardsDone: null,
      rows: 0,
      rowsDone: 0,
      badRows: 0,
      bytes: 0,
      skippedInputs: 0,
      seconds: 0,
      rowsPerSecond: 0,
      bytesPerSecond: 0,
      threads: null,
      threadsBusy: null,
      secondsLeft: null,
      memoryBytes: 0,
    };
  }

  progress(rowsDone: number, rows: number, pace?: RunProgress): void {
    this.#rowsSince ??= performance.now();
    if (rowsDone !== this.#state.rowsDone) this.#lastMoved = performance.now();
    Object.assign(this.#state, { rowsDone, rows });
    if (!pace) return;
    const { bytesDone, threads, threadsBusy } = pace;
    this.#bytesDone = bytesDone;
    if (threads === 0) return;
    Object.assign(this.#state, { threads, threadsBusy });
  }

  event(event: DatasetEvent): void {
    const state = this.#state;
    switch (event.event) {
      case "planned":
        state.fingerprint = event.fingerprint;
        state.shards = event.shards;
        state.shardsDone = event.shardsDone;
        this.#rowsSince = performance.now();
        break;
      case "shard completed":
        state.shardsDone = (state.shardsDone ?? 0) + 1;
        state.badRows += event.badRows;
        state.bytes += event.bytes;
        break;
      case "shards done":
        state.shards = event.shards;
        state.shardsDone = event.shardsDone;
        break;
      case "input skipped":
        state.skippedInputs += 1;
    }
  }

  /** The end, with what the report says of it, where there is one. */
  end(exitCode: number, status: string, report: object): void {
    const state = this.#state;
    Object.assign(state, { exitCode, status });
    const { badRows, outputBytes, rowsDone, fingerprint, skippedInputs } =
      report as Partial<Record<string, unknown>>;
    if (typeof badRows === "number") state.badRows = badRows;
    if (typeof outputBytes === "number") state.bytes = outputBytes;
    if (typeof rowsDone === "number") state.rowsDone = rowsDone;
    if (typeof fingerprint === "string") state.fingerprint = fingerprint;
    if (Array.isArray(skippedInputs))
      state.skippedInputs = skippedInputs.length;
  }

  now(): State {
    const state = this.#state;
    const now = performance.now();
    const seconds = (now - (this.#rowsSince ?? now)) / 1000;
    const rate = seconds > 0 ? state.rowsDone / seconds : 0;
    return {
      ...state,
      updated: new Date().toISOString(),
      seconds: (now - this.#start) / 1000,
      rowsPerSecond: rate,
      bytesPerSecond: seconds > 0 ? this.#bytesDone / seconds : 0,
      secondsLeft:
        rate > 0 && !this.#isStanding(now)
          ? (state.rows - state.rowsDone) / rate
          : null,
      memoryBytes: process.memoryUsage.rss(),
    };
  }

  /** Whether nothing has moved for as long as all that is done took: its rate says nothing about the rest then. */
  #isStanding(now: number): boolean {
    if (this.#rowsSince === null || this.#lastMoved === null) return false;
    const took = this.#lastMoved - this.#rowsSince;
    return now - this.#lastMoved > Math.max(took, STANDING_MS);
  }
}
