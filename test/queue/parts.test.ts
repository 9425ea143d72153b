import { mkdirSync, symlinkSync } from "node:fs";
import type { Job } from "bullmq";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { AbortedError, IoError, UsageError } from "../../src/errors.js";
import { queueAddress } from "../../src/queue/broker/connection.js";
import { jobId, parseJobId } from "../../src/queue/broker/queued-shards.js";
import { HeldJob } from "../../src/queue/broker/take-jobs.js";
import { allowedLocations } from "../../src/queue/job-runs.js";
import {
  failureKind,
  failureText,
  isInputFailure,
} from "../../src/queue/jobs.js";
import { workDirectory } from "../support/logits-input.js";
import { refused } from "../support/refused.js";

// Functions that need no queue.

const at = workDirectory();

test.each<
  [queue: string, parts: object, shown: string, queuePassword?: string]
>([
  ["redis://host", { host: "host", port: 6379, db: 0 }, "redis://host:6379/0"],
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
  ["redis://h", { password: "x" }, "redis://h:6379/0", "x"],
])("the address %s", (queue, parts, shown, queuePassword) => {
  const found = queueAddress({ queue, queuePassword });
  expect(found).toMatchObject({ ...parts, shown });
});

test.each([
  ...["host:6379", "http://host", "redis://", "redis://h/x"],
  ...["redis://:pw@h?a=b", "unix:/x"],
])("%s is no address, and is not repeated", (queue) => {
  expect(() => queueAddress({ queue })).toThrow(
    /^queue: not a Redis URL; write it as in redis:\/\/host:6379\/0 or rediss:\/\/user@host:6380$/,
  );
});

test("the id of a job has its run, output, submission and index", () => {
  const job = { output: "/d/out", run: "0123456789abcdef", index: 17 };
  const id = jobId(job, 2);
  expect(id).toMatch(/^0123456789abcdef-[0-9a-f]{8}\.2-17$/);
  expect(parseJobId(id, job)).toEqual({ submission: 2, index: 17 });
  expect(parseJobId(id, { ...job, output: "/d/other" })).toBeNull();
  expect(parseJobId(id, { ...job, run: "f123456789abcdef" })).toBeNull();
  expect(parseJobId("repeat:x:1", job)).toBeNull();
});

test("a worker may access directories, links and URLs that are allowed", async () => {
  for (const name of ["in", "in/deep", "inner", "out"]) mkdirSync(at(name));
  symlinkSync(at("out"), at("in/link"));
  symlinkSync(at("in"), at("also-in"));
  const check = await allowedLocations([at("in"), "s3://b/data"]);
  for (const location of [
    ...[at("in"), at("in/deep/not/there"), at("also-in/deep")],
    ...["s3://b/data/out", "s3://b/data"],
  ])
    await expect(check("output", location)).resolves.toBeUndefined();
  for (const location of [
    ...[at("inner"), at("in/link/x"), at("out"), `${at("in")}/x/../../out`],
    ...["in/deep", "s3://b/database", "s3://b/data/../other"],
    ...["s3://b/data/%2e%2e/other", "s3://b/data//x", "s3://other/data/x"],
    "file:///etc",
  ])
    await refused(check("output", location), "ERR_JOB_REFUSED");
});

describe("a lease of 3 s", () => {
  function held(extendLock: () => Promise<number>): HeldJob {
    vi.useFakeTimers();
    const job = { extendLock } as unknown as Job;
    const lease = new HeldJob(job, "", 3, new EventTarget() as AbortSignal);
    onTestFinished(() => {
      lease.end();
      vi.useRealTimers();
    });
    return lease;
  }

  test("is renewed every second, whatever the time of day", async () => {
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

  test("is lost if another worker has it, but not without an answer", async () => {
    const failure = new Error("ECONNREFUSED");
    const renew = vi.fn(() => Promise.reject<number>(failure));
    const lease = held(renew);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(lease.isLost).toBe(false);
    renew.mockResolvedValue(0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(lease.isLost).toBe(true);
    expect(lease.signal.aborted).toBe(true);
  });

  test("has one request at a time", async () => {
    const renew = vi.fn(() => new Promise<number>(() => {}));
    held(renew);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(renew).toHaveBeenCalledTimes(1);
  });
});

const cause = Object.assign(new Error("x"), { code: "ENOSPC" });
test.each([
  ["stopped", new AbortedError()],
  ["full disk", new IoError("p", "could not be written", { cause })],
  ["full disk", new IoError("p", "not enough disk space in /d", { cause })],
  ["passing", new IoError("p", "could not be written: EIO")],
  ["final", new UsageError("x")],
  ["passing", new Error("x")],
])("a failure is %s: %s", (kind, error) => {
  expect(failureKind(error)).toBe(kind);
});

test("the text of a failure has its code", () => {
  expect(failureText(new UsageError("why"))).toBe("ERR_USAGE: why");
  expect(isInputFailure("ERR_BAD_ROW: x")).toBe(true);
  expect(isInputFailure("ERR_IO: x")).toBe(false);
});
