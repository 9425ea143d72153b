import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, expect, test } from "vitest";
import { connect } from "../../src/queue/connection.js";

// What a server says of itself when a queue connects. It is played here: versions that are refused need no installation.

/** What INFO gives now. */
let info = "";
const server = createServer((socket) => {
  socket.on("data", (bytes) => {
    // A command is an array: its number of words, and each with its length.
    for (const [, name = ""] of `${bytes}`.matchAll(
      /\*\d+\r\n\$\d+\r\n(\w+)\r\n/g,
    ))
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
const url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;

/** What comes of connecting: the error, or the warnings. */
async function answerTo(said: Record<string, string>): Promise<unknown> {
  info = Object.entries(said)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join("");
  const shown = `${url}/0`;
  try {
    const found = await connect({ queue: url }, false);
    found.redis.disconnect();
    return found.warnings.map((text) => text.replace(shown, "redis"));
  } catch (error) {
    const { code, message } = error as Error & { code: string };
    return `${code} ${message.replace(shown, "redis")}`;
  }
}

test.each(["2.8.0", "5.0.14", "6.0.16", "6.1.241"])(
  "Redis %s is refused",
  async (redis_version) => {
    expect(
      await answerTo({ redis_version, maxmemory_policy: "noeviction" }),
    ).toBe(
      `ERR_SERVICE_UNAVAILABLE redis: expected Redis 6.2 or newer, or Valkey, found ${redis_version}`,
    );
  },
);

test.each(["6.2.0", "7.0.15", "7.2.4", "8.0.0", "10.0.1"])(
  "Redis %s is taken",
  async (redis_version) => {
    expect(
      await answerTo({ redis_version, maxmemory_policy: "noeviction" }),
    ).toEqual([]);
  },
);

test("a node of a cluster is refused, whatever its version", async () => {
  for (const redis_version of ["6.2.0", "8.0.0"])
    expect(await answerTo({ redis_version, cluster_enabled: "1" })).toBe(
      "ERR_CONFIGURATION redis: Redis runs in cluster mode, which queues do not support; use a server with cluster-enabled no",
    );
});

test("a server that may drop jobs is taken with a warning", async () => {
  expect(
    await answerTo({
      redis_version: "7.2.4",
      cluster_enabled: "0",
      maxmemory_policy: "allkeys-lru",
    }),
  ).toEqual([
    "redis: expected maxmemory-policy noeviction, found allkeys-lru; Redis may lose jobs, which softjac wait resubmits",
  ]);
});
