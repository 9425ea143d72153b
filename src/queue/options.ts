/** Connection to a queue on a Redis server. */
export interface QueueOptions {
  /** URL of the Redis server: `redis://host:port/db`, or `rediss://` for TLS. */
  queue: string;
  /** Password of the Redis server, if the URL has none. */
  queuePassword?: string | undefined;
  /** Name of the queue; several queues can share a server. Default: softjac. */
  queueName?: string | undefined;
  /** Seconds to wait for the first connection; default: 10. */
  connectTimeout?: number | undefined;
}

/** Retries of shards on a queue. */
export interface AttemptOptions {
  /** Attempts per shard that fails for other reasons than invalid input; default: 6. */
  attempts?: number | undefined;
  /** Seconds before the second attempt; doubles before each further one, minus a random part of up to half. Default: 2. */
  backoff?: number | undefined;
}
