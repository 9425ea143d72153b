import { ConfigurationError } from "../errors.js";

/** The packages that queues need, which are loaded for them alone. */
export interface QueuePackages {
  bullmq: typeof import("bullmq");
  ioredis: Pick<typeof import("ioredis"), "Redis">;
}

/** @throws ConfigurationError */
export async function queuePackages(): Promise<QueuePackages> {
  try {
    const [bullmq, ioredis] = await Promise.all([
      import("bullmq"),
      import("ioredis"),
    ]);
    return { bullmq, ioredis };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND")
      throw error;
    throw new ConfigurationError(
      "expected the packages bullmq and ioredis, which queues need, found that they are not installed (npm install bullmq ioredis)",
      { cause: error },
    );
  }
}
