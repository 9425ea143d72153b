import { isS3 } from "../io/location.js";
import { PosixStore } from "./posix-store.js";
import type { S3Access } from "./s3-options.js";
import type { Store } from "./store.js";

/** How a store is reached; `alive` is called at each of its answers. */
export interface StoreAccess extends S3Access {
  alive?: (() => void) | undefined;
}

/**
 * The store that a location is in.
 * @param temporary on this machine: the folder for what is unfinished, on the file system of what it will be
 * @throws UsageError; ConfigurationError where the package that S3 takes is not there
 */
export async function openStore(
  location: string,
  { alive, ...options }: StoreAccess = {},
  temporary: string = location,
): Promise<Store> {
  const store = isS3(location)
    ? await (await import("./s3/s3-store.js")).openS3Store(options)
    : new PosixStore(temporary);
  return alive ? heard(store, alive) : store;
}

/** Returns the store with every answer as a sign of life. */
function heard(store: Store, alive: () => void): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...given: unknown[]) => {
        const answer: unknown = value.apply(target, given);
        return answer instanceof Promise ? answer.finally(alive) : answer;
      };
    },
  });
}
