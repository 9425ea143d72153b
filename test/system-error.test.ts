import { constants } from "node:os";
import { expect, test } from "vitest";
import { exitCodeOf } from "../src/cli/execute.js";
import { isInvalidInput } from "../src/dataset/run-files.js";
import {
  ConfigurationError,
  InputFormatError,
  InputMissingError,
  IoError,
  PermissionError,
} from "../src/errors.js";
import { interpreting, interpretingSync } from "../src/input/interpreting.js";
import { MissingRangesError } from "../src/io/fetched-ranges.js";
import {
  inputError,
  ioError,
  isFullDisk,
  isSystemRefusal,
  knownError,
  systemErrorName,
} from "../src/io/system-error.js";
import { openThreads } from "../src/pool/piscina-threads.js";
import { failureKind } from "../src/queue/job-handler.js";

const NAMES = Object.keys(constants.errno);

/** Exit codes of an error on an input, and on an output; of all others 74 and 74. */
const OTHERS: Record<string, [input: number, output: number]> = {
  ENOENT: [66, 74],
  ENOTDIR: [66, 74],
  EACCES: [77, 77],
  EPERM: [77, 77],
  EROFS: [77, 77],
};

function refused(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: refused, read`), { code });
}

test.each(NAMES)("%s has an exit code, and is never damage", (name) => {
  const input = inputError("in.npy", "could not be read", refused(name));
  const output = ioError("out.arrow", "could not be written", refused(name));
  expect([exitCodeOf(input, null), exitCodeOf(output, null)]).toEqual(
    OTHERS[name] ?? [74, 74],
  );
  expect(isInvalidInput(input)).toBe(false);
  expect(failureKind(input)).toBe(
    name === "ENOSPC" || name === "EDQUOT" ? "full disk" : "passing",
  );
  expect(exitCodeOf(refused(name), null)).not.toBe(70);
});

test.each(NAMES)("%s without a name in Node is known by its number", (name) => {
  const errno = -((constants.errno as Record<string, number>)[name] ?? 0);
  const code = `Unknown system error ${errno}`;
  const found = systemErrorName(
    Object.assign(new Error(code), { code, errno }),
  );
  expect(constants.errno[found as "EIO"]).toBe(-errno);
});

test.each([
  [
    "EMFILE",
    "in.npy: could not be read: EMFILE, too many open files; raise the limit with ulimit -n",
  ],
  [
    "EIO",
    "in.npy: could not be read: EIO, the device failed; check the disk or the network file system",
  ],
  [
    "ELOOP",
    "in.npy: could not be read: ELOOP, too many symbolic links encountered",
  ],
  ["ENOENT", "in.npy: no such file or directory"],
  ["EROFS", "in.npy: permission denied"],
])("what the user reads of %s", (name, message) => {
  const error = inputError("in.npy", "could not be read", refused(name));
  expect(error.message).toBe(message);
});

test("a full quota is a full disk, in causes too", () => {
  const code = `Unknown system error -${constants.errno.EDQUOT}`;
  const errno = -constants.errno.EDQUOT;
  const full = Object.assign(new Error(code), { code, errno });
  const error = ioError("o.arrow", "could not be written", full);
  expect(error.message).toBe(
    "o.arrow: could not be written: EDQUOT, the disk quota is used up",
  );
  expect(isFullDisk(new Error("x", { cause: error }))).toBe(true);
  expect(isSystemRefusal(error)).toBe(true);
  expect(isSystemRefusal(new IoError("o.arrow", "has been removed"))).toBe(
    false,
  );
});

test("errors that are not the system's stay as they are", () => {
  for (const error of [
    new TypeError("x"),
    Object.assign(new Error("x"), { code: "ERR_INVALID_ARG_TYPE" }),
    Object.assign(new Error("x"), { code: "Z_DATA_ERROR", errno: -3 }),
  ]) {
    expect(inputError("in", "could not be read", error)).toBe(error);
    expect(knownError(error)).toBe(error);
  }
});

test("a module of the package that is missing is an error of the installation", () => {
  const own = new URL("../src/io/gone.js", import.meta.url).pathname;
  const missing = Object.assign(
    new Error(`Cannot find module '${own}' imported from x`),
    { code: "ERR_MODULE_NOT_FOUND" },
  );
  const error = ioError("out.arrow", "could not be written", missing);
  expect(error).toBeInstanceOf(ConfigurationError);
  expect(error.message).toBe(
    `${own}: a file of softjac is missing; reinstall the package`,
  );
  expect(exitCodeOf(error, null)).toBe(78);
  expect(failureKind(error)).toBe("passing");
});

test("a thread whose file is missing is no failure of a worker", async () => {
  const threads = await openThreads(
    new URL("../src/io/gone.js", import.meta.url),
    1,
  );
  await expect(threads.run({})).rejects.toBeInstanceOf(ConfigurationError);
  await threads.close();
});

test("what interpreting an input throws is the input's error", async () => {
  const nested = () => {
    const down = (): number => 1 + down();
    return down();
  };
  const cases: [work: () => unknown, message: string][] = [
    [nested, "the values are nested too deeply"],
    [
      () => new Uint8Array(2 ** 53),
      "not enough memory (Invalid typed array length: 9007199254740992)",
    ],
    [
      () => (null as unknown as { x: number }).x,
      "could not be parsed (Cannot read properties of null (reading 'x'))",
    ],
  ];
  for (const [work, message] of cases) {
    const expected = expect.objectContaining({
      name: "InputFormatError",
      message: `in.npy: header: ${message}`,
      cause: expect.any(Error),
    });
    expect(() => interpretingSync("in.npy", "header", work)).toThrow(expected);
    await expect(interpreting("in.npy", "header", work)).rejects.toEqual(
      expected,
    );
  }
});

test("interpreting keeps errors that have a meaning of their own", async () => {
  const kept = [
    new InputMissingError("in"),
    new PermissionError("in", "permission denied"),
    new InputFormatError("in", "footer", "expected x, found y"),
    new MissingRangesError([{ start: 0, end: 1 }]),
  ];
  for (const error of kept)
    await expect(
      interpreting("in", "header", async () => {
        throw error;
      }),
    ).rejects.toBe(error);
  await expect(
    interpreting("in", "header", () => {
      throw refused("EMFILE");
    }),
  ).rejects.toBeInstanceOf(IoError);
});
