import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Job } from "bullmq";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { AbortedError, IoError, UsageError } from "../../src/errors.js";
import { queueAddress } from "../../src/queue/connection.js";
import { failureKind, HeldJob } from "../../src/queue/job-handler.js";
import { allowedLocations } from "../../src/queue/job-runs.js";
import {
  failureText,
  isInputFailure,
  jobId,
  parseJobId,
} from "../../src/queue/jobs.js";
import { findLostShards } from "../../src/queue/queue-monitor.js";
import { workDirectory } from "../support/logits-input.js";

// The parts of the queue that need none.

const at = workDirectory();

describe("addresses", () => {
  test.each([
    [
      "redis://host",
      { host: "host", port: 6379, db: 0 },
      "redis://host:6379/0",
    ],
    [
      "rediss://me@host:7000/3",
      { username: "me", db: 3, tls: { servername: "host" } },
      "rediss://me@host:7000/3",
    ],
    [
      "redis://:p%40w@[::1]:7000",
      { host: "::1", password: "p@w" },
      "redis://[::1]:7000/0",
    ],
  ])("%s", (queue, parts, shown) => {
    expect(queueAddress({ queue })).toMatchObject({ ...parts, shown });
  });

  test.each([
    "host:6379",
    "http://host",
    "redis://",
    "redis://h/x",
    "redis://:pw@h?a=b",
    "unix:/x",
  ])("%s is none, and is not repeated", (queue) => {
    expect(() => queueAddress({ queue })).toThrow(
      /^queue: not a Redis URL; write it as in redis:\/\/host:6379\/0 or rediss:\/\/user@host:6380$/,
    );
  });

  test("a password that stands apart", () => {
    const found = queueAddress({ queue: "redis://h", queuePassword: "x" });
    expect(found.password).toBe("x");
  });
});

test("ids of jobs: those of another output or run are none", () => {
  const job = { output: "/d/out", run: "0123456789abcdef", index: 17 };
  const id = jobId(job, 2);
  expect(id).toMatch(/^0123456789abcdef-[0-9a-f]{8}\.2-17$/);
  expect(id).not.toContain(":");
  expect(parseJobId(id, job)).toEqual({ submission: 2, index: 17 });
  expect(parseJobId(id, { ...job, output: "/d/other" })).toBeNull();
  expect(parseJobId(id, { ...job, run: "f123456789abcdef" })).toBeNull();
  expect(parseJobId("repeat:x:1", job)).toBeNull();
});

describe("locations", () => {
  test("folders, links and URLs", async () => {
    for (const name of ["in", "in/deep", "inner", "out"]) mkdirSync(at(name));
    symlinkSync(at("out"), at("in/link"));
    symlinkSync(at("in"), at("also-in"));
    const check = await allowedLocations([at("in"), "s3://b/data"]);
    await check("output", at("in"));
    await check("output", at("in/deep/not/there"));
    await check("output", at("also-in/deep"));
    await check("output", "s3://b/data/out");
    await check("output", "s3://b/data");
    for (const location of [
      at("inner"),
      at("in/link/x"),
      at("out"),
      `${join(at("in"), "x")}/../../out`,
      "in/deep",
      "s3://b/database",
      "s3://b/data/../other",
      "s3://b/data/%2e%2e/other",
      "s3://b/data//x",
      "s3://other/data/x",
      "file:///etc",
    ])
      await expect(check("output", location), location).rejects.toMatchObject({
        code: "ERR_JOB_REFUSED",
      });
  });
});

describe("a lease", () => {
  const held = (extendLock: () => Promise<number>) =>
    new HeldJob(
      { extendLock } as unknown as Job,
      "",
      3,
      new EventTarget() as AbortSignal,
    );
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test("is renewed three times in its time, whatever the time of day", async () => {
    const renew = vi.fn(async () => 1);
    const lease = held(renew);
    await vi.advanceTimersByTimeAsync(2500);
    vi.setSystemTime(0);
    await vi.advanceTimersByTimeAsync(2500);
    expect(renew).toHaveBeenCalledTimes(5);
    expect(lease.isLost).toBe(false);
    lease.end();
    await vi.advanceTimersByTimeAsync(9000);
    expect(renew).toHaveBeenCalledTimes(5);
  });

  test("is lost when it is another's, not when nobody answers", async () => {
    const renew = vi.fn(async (): Promise<number> => {
      throw new Error("ECONNREFUSED");
    });
    const lease = held(renew);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lease.isLost).toBe(false);
    renew.mockImplementation(async () => 0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(lease.isLost).toBe(true);
  });

  test("is not asked for twice at once", async () => {
    const renew = vi.fn(() => new Promise<number>(() => {}));
    const lease = held(renew);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(renew).toHaveBeenCalledTimes(1);
    lease.end();
  });
});

test("shards are lost once they were looked for twice in vain", () => {
  let unseen: ReadonlySet<number> = new Set();
  const look = (
    missing: number[],
    live: number[],
    failed: [number, string][] = [],
  ) => {
    const queued = { live: new Set(live), failed: new Map(failed) };
    const found = findLostShards(missing, queued, unseen);
    unseen = found.unseen;
    return found;
  };
  expect(look([1, 2, 3], [2], [[3, "x"]])).toMatchObject({
    lost: [],
    failed: [[3, "x"]],
    pending: [1, 2],
  });
  expect(look([1, 2], [])).toMatchObject({
    lost: [1],
    failed: [],
    pending: [2],
  });
  expect(look([1, 2], [1, 2]).lost).toEqual([]);
  expect(look([1, 2], [2]).lost).toEqual([]);
});

test("what a failure means to its job", () => {
  const full = Object.assign(new Error("x"), { code: "ENOSPC" });
  const kinds = [
    new AbortedError(),
    new IoError("p", "could not be written", { cause: full }),
    new IoError(
      "p",
      "not enough disk space in /d: 10 bytes are needed, 5 are free",
      { cause: full },
    ),
    new IoError("p", "could not be written: EIO"),
    new UsageError("x"),
    new Error("x"),
  ].map(failureKind);
  expect(kinds).toEqual([
    "stopped",
    "full disk",
    "full disk",
    "passing",
    "final",
    "passing",
  ]);
  expect(failureText(new UsageError("why"))).toBe("ERR_USAGE: why");
  expect(isInputFailure("ERR_BAD_ROW: x")).toBe(true);
  expect(isInputFailure("ERR_IO: x")).toBe(false);
});
