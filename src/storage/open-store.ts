import { remoteScheme } from "../io/location.js";
import { PosixStore } from "./posix-store.js";
import type { Store, StoreAccess } from "./store.js";

/** Object stores by the scheme of their locations. Their packages are loaded when they are needed. */
const OBJECT_STORES = {
  s3: async () => (await import("./s3/s3-store.js")).openS3Store,
};

/**
 * Opens the store of a location.
 * @param temporary local stores: directory for temporary files, on the same file system as the final files
 */
export async function openStore(
  location: string,
  { alive, ...options }: StoreAccess = {},
  temporary: string = location,
): Promise<Store> {
  const scheme = remoteScheme(location);
  const open = scheme && (await OBJECT_STORES[scheme]());
  const store = open ? await open(options) : new PosixStore(temporary);
  return alive ? withProgress(store, alive) : store;
}

/** Wraps a store so that `alive` is called when a promise of a method settles. */
function withProgress(store: Store, alive: () => void): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const result: unknown = value.apply(target, args);
        return result instanceof Promise ? result.finally(alive) : result;
      };
    },
  });
}
