import type { Connection } from "./connection.js";

/** What BullMQ meets at the end of a job that is no longer this worker's. */
const NO_LONGER_OURS =
  /^(?:Missing (?:lock|key) for job|Lock mismatch|Job .* is not in the active state)/;

/** Reports, once each, that a queue has gone and that it is back; and the other errors of a worker. */
export class Reachability {
  #isThere = true;

  constructor(
    private readonly connection: Connection,
    /** What is done meanwhile. */
    private readonly goesOn: string,
    private readonly tell: (message: string) => void,
  ) {
    const { redis } = connection;
    redis.on("close", this.#onClose);
    redis.on("ready", this.#onReady);
  }

  get isThere(): boolean {
    return this.#isThere;
  }

  close(): void {
    const { redis } = this.connection;
    redis.off("close", this.#onClose);
    redis.off("ready", this.#onReady);
  }

  /** An error that BullMQ's worker tells of. */
  onError(error: Error): void {
    // Told by the connection itself.
    if (!this.#isThere || isOfConnection(error)) return;
    this.tell(
      NO_LONGER_OURS.test(error.message)
        ? `${error.message} (the queue gave the job to another worker or lost it; finished work is kept)`
        : `${this.connection.address.shown}: ${error.message}`,
    );
  }

  readonly #onClose = () => {
    if (!this.#isThere) return;
    this.#isThere = false;
    this.tell(
      `${this.connection.address.shown}: the connection to the queue was lost; ${this.goesOn}`,
    );
  };

  readonly #onReady = () => {
    if (this.#isThere) return;
    this.#isThere = true;
    this.tell(`${this.connection.address.shown}: reconnected to the queue`);
  };
}

function isOfConnection(error: NodeJS.ErrnoException): boolean {
  return (
    /^(?:ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/.test(
      error.code ?? "",
    ) || /Connection is closed/.test(error.message)
  );
}
