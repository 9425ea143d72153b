import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { connect } from "../../src/queue/broker/connection.js";

// Versions and settings of servers, which a stand-in states.

/** Answer to INFO. */
let info = "";
const server = createServer((socket) => {
  socket.on("data", (bytes) => {
    // A command is an array: its number of words, and each with its length.
    const commands = /\*\d+\r\n\$\d+\r\n(\w+)\r\n/g;
    for (const [, name = ""] of `${bytes}`.matchAll(commands))
      socket.write(
        name.toUpperCase() === "INFO"
          ? `$${Buffer.byteLength(info)}\r\n${info}\r\n`
          : "+OK\r\n",
      );
  });
  socket.on("error", () => {});
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
afterAll(() => server.close());
const queue = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;

const OLD =
  "ERR_SERVICE_UNAVAILABLE redis: expected Redis 6.2 or newer, or Valkey, found";
const CLUSTER =
  "ERR_CONFIGURATION redis: Redis runs in cluster mode, which queues do not support; use a server with cluster-enabled no";

test.each([
  ["2.8.0", "maxmemory_policy:noeviction", `${OLD} 2.8.0`],
  ["5.0.14", "maxmemory_policy:noeviction", `${OLD} 5.0.14`],
  ["6.0.16", "maxmemory_policy:noeviction", `${OLD} 6.0.16`],
  ["6.1.241", "maxmemory_policy:noeviction", `${OLD} 6.1.241`],
  ["6.2.0", "maxmemory_policy:noeviction", ""],
  ["7.0.15", "maxmemory_policy:noeviction", ""],
  ["8.0.0", "maxmemory_policy:noeviction", ""],
  ["10.0.1", "maxmemory_policy:noeviction", ""],
  ["6.2.0", "cluster_enabled:1", CLUSTER],
  ["8.0.0", "cluster_enabled:1", CLUSTER],
  [
    "7.2.4",
    "cluster_enabled:0\r\nmaxmemory_policy:allkeys-lru",
    "redis: expected maxmemory-policy noeviction, found allkeys-lru; Redis may lose jobs, which softjac wait resubmits",
  ],
])("Redis %s with %j: %s", async (version, settings, expected) => {
  info = `redis_version:${version}\r\n${settings}\r\n`;
  const found = await connect({ queue }, false).then(
    ({ redis, warnings }) => {
      redis.disconnect();
      return warnings.join();
    },
    ({ code, message }) => `${code} ${message}`,
  );
  expect(found.replace(`${queue}/0`, "redis")).toBe(expected);
});

test("an abort while a queue connects leaves no timer, which would keep the process alive", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const connecting = connect({ queue }, false, AbortSignal.abort());
  await expect(connecting).rejects.toMatchObject({ code: "ERR_ABORTED" });
  expect(vi.getTimerCount()).toBe(0);
});
