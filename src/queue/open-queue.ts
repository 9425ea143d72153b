import type { Queue } from "bullmq";
import { type Connection, connect } from "./connection.js";
import { queueNameOf } from "./jobs.js";
import type { QueueOptions } from "./options.js";
import { queuePackages } from "./packages.js";
import { queueAddress } from "./queue-address.js";

/** A queue to put jobs in and to look at. */
export interface OpenQueue {
  queue: Queue;
  connection: Connection;
  close(): Promise<void>;
}

/** @throws UsageError, ConfigurationError, ServiceUnavailableError, PermissionError */
export async function openQueue(options: QueueOptions): Promise<OpenQueue> {
  const address = queueAddress(options);
  const packages = queuePackages();
  const seconds = options.connectTimeout ?? 10;
  const connection = await connect(packages, address, {
    seconds,
    waits: false,
  });
  const queue = new packages.bullmq.Queue(queueNameOf(options.queueName), {
    connection: connection.redis,
    skipVersionCheck: connection.skipVersionCheck,
  });
  // What fails is told where it is awaited.
  queue.on("error", () => {});
  return {
    queue,
    connection,
    async close() {
      connection.close();
      await queue.close().catch(() => {});
    },
  };
}
