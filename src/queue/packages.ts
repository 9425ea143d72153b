import { createRequire } from "node:module";
import { ConfigurationError } from "../errors.js";

/** The packages that queues need, which are loaded for them alone. */
export interface QueuePackages {
  bullmq: typeof import("bullmq");
  ioredis: Pick<typeof import("ioredis"), "Redis">;
}

/**
 * Both are CommonJS: required, they load in two thirds of the time of an import, which reads all their files for names first.
 * @throws ConfigurationError
 */
export function queuePackages(): QueuePackages {
  const require = createRequire(import.meta.url);
  try {
    return { bullmq: require("bullmq"), ioredis: require("ioredis") };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND")
      throw error;
    throw new ConfigurationError(
      "queues need the packages bullmq and ioredis: npm install bullmq ioredis",
      { cause: error },
    );
  }
}
