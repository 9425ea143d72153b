import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { connect } from "../../src/queue/broker/connection.js";

// Versions of servers, which a stand-in states; redis.faults.test.ts has other settings.

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

test.each([
  ["2.8.0", `${OLD} 2.8.0`],
  ["5.0.14", `${OLD} 5.0.14`],
  ["6.0.16", `${OLD} 6.0.16`],
  ["6.1.241", `${OLD} 6.1.241`],
  ["6.2.0", ""],
  ["7.0.15", ""],
  ["8.0.0", ""],
  ["10.0.1", ""],
])("Redis %s: %j", async (version, expected) => {
  info = `redis_version:${version}\r\nmaxmemory_policy:noeviction\r\n`;
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
