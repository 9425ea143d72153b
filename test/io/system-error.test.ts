import { constants } from "node:os";
import { expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/execute.js";
import { isInvalidInput } from "../../src/dataset/run-files.js";
import {
  ConfigurationError,
  InputFormatError,
  InputMissingError,
  IoError,
  PermissionError,
} from "../../src/errors.js";
import { interpreting } from "../../src/input/interpreting.js";
import { MissingRangesError } from "../../src/io/fetched-ranges.js";
import {
  inputError,
  ioError,
  isFullDisk,
  isSystemRefusal,
  knownError,
  systemErrorName,
} from "../../src/io/system-error.js";
import { openThreads } from "../../src/pool/piscina-threads.js";
import { failureKind } from "../../src/queue/jobs.js";
import { pairsOf } from "../support/pairs-of.js";

const ERRNO: Record<string, number> = constants.errno;

/** Exit codes of an error on an input, and on an output, that are not 74. */
const OTHERS: Record<string, [input: number, output: number]> = {
  ENOENT: [66, 74],
  ENOTDIR: [66, 74],
  EACCES: [77, 77],
  EPERM: [77, 77],
  EROFS: [77, 77],
};

function errorOf(code: string, more: object = {}): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: refused, read`), { code, ...more });
}

test.each(Object.keys(ERRNO))(
  "%s has an exit code, and is never damage",
  (name) => {
    const input = inputError("in.npy", "could not be read", errorOf(name));
    const output = ioError("out.arrow", "could not be written", errorOf(name));
    expect([exitCodeOf(input, null), exitCodeOf(output, null)]).toEqual(
      OTHERS[name] ?? [74, 74],
    );
    expect(isInvalidInput(input)).toBe(false);
    const isFull = name === "ENOSPC" || name === "EDQUOT";
    expect(failureKind(input)).toBe(isFull ? "full disk" : "passing");
    expect(exitCodeOf(errorOf(name), null)).not.toBe(70);
    // Node has no name for some numbers.
    const errno = -(ERRNO[name] as number);
    const unnamed = errorOf(`Unknown system error ${errno}`, { errno });
    expect(ERRNO[systemErrorName(unnamed) as string]).toBe(-errno);
  },
);

test.each(
  pairsOf(`
EMFILE
could not be read: EMFILE, too many open files; raise the limit with ulimit -n
EIO
could not be read: EIO, the device failed; check the disk or the network file system
ELOOP
could not be read: ELOOP, too many symbolic links encountered
ENOENT
no such file or directory
EROFS
permission denied
`),
)("%s: %s", (name, message) => {
  const error = inputError("in.npy", "could not be read", errorOf(name));
  expect(error.message).toBe(`in.npy: ${message}`);
});

test("a full quota is a full disk, in causes too", () => {
  const errno = -constants.errno.EDQUOT;
  const full = errorOf(`Unknown system error ${errno}`, { errno });
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

test.each([
  new TypeError("x"),
  errorOf("ERR_INVALID_ARG_TYPE"),
  errorOf("Z_DATA_ERROR", { errno: -3 }),
])("an error that is not the system's is returned unchanged: %s", (error) => {
  expect(inputError("in", "could not be read", error)).toBe(error);
  expect(knownError(error)).toBe(error);
});

test("a missing module of the package is an error of the installation", async () => {
  const gone = new URL("../../src/io/gone.js", import.meta.url);
  const missing = errorOf("ERR_MODULE_NOT_FOUND", {
    message: `Cannot find module '${gone.pathname}' imported from x`,
  });
  const error = ioError("out.arrow", "could not be written", missing);
  expect(error).toBeInstanceOf(ConfigurationError);
  expect(error.message).toBe(
    `${gone.pathname}: a file of softjac is missing; reinstall the package`,
  );
  expect(exitCodeOf(error, null)).toBe(78);
  expect(failureKind(error)).toBe("passing");
  const threads = await openThreads(gone, 1);
  await expect(threads.run({})).rejects.toBeInstanceOf(ConfigurationError);
  await threads.close();
});

const nested = (): number => 1 + nested();

/** Work that fails, by the message. */
const FAILING: Record<string, () => unknown> = {
  "the values are nested too deeply": nested,
  "not enough memory (Invalid typed array length: 9007199254740992)": () =>
    new Uint8Array(2 ** 53),
  "could not be parsed (Cannot read properties of null (reading 'x'))": () =>
    (null as unknown as { x: number }).x,
};

test.each(Object.entries(FAILING))("header: %s", async (message, work) => {
  const expected = expect.objectContaining({
    name: "InputFormatError",
    message: `in.npy: header: ${message}`,
    cause: expect.any(Error),
  });
  expect(() => interpreting("in.npy", "header", work)).toThrow(expected);
  const later = interpreting("in.npy", "header", async () => work());
  await expect(later).rejects.toEqual(expected);
});

test("interpreting keeps errors that have a meaning of their own", async () => {
  const interpret = (error: Error) =>
    interpreting("in", "header", () => Promise.reject(error));
  for (const error of [
    new InputMissingError("in"),
    new PermissionError("in", "permission denied"),
    new InputFormatError("in", "footer", "expected x, found y"),
    new MissingRangesError([{ start: 0, end: 1 }]),
  ])
    await expect(interpret(error)).rejects.toBe(error);
  await expect(interpret(errorOf("EMFILE"))).rejects.toBeInstanceOf(IoError);
});
