// Preload for all threads that makes calls on files whose path ends with REFUSE_ENDING fail. REFUSE_CALL is open, fstat or
// read, REFUSE_CODE the error, and REFUSE_AT the number of the first failing call in each thread.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

const {
  REFUSE_CALL,
  REFUSE_CODE,
  REFUSE_ENDING,
  REFUSE_AT = "1",
} = process.env;
const { openSync, readSync, read, fstatSync, readlinkSync } = fs;
let calls = 0;

/** Returns the error that Node would throw, which has no name for some codes. */
function refusal(syscall) {
  const errno = -constants.errno[REFUSE_CODE];
  const code = getSystemErrorMap().has(errno)
    ? REFUSE_CODE
    : `Unknown system error ${errno}`;
  const error = new Error(`${code}: refused, ${syscall}`);
  return Object.assign(error, { errno, code, syscall });
}

const isRefused = (call, path) =>
  call === REFUSE_CALL &&
  String(path).endsWith(REFUSE_ENDING) &&
  ++calls >= Number(REFUSE_AT);
const pathOf = (fd) => readlinkSync(`/proc/self/fd/${fd}`);

fs.openSync = (path, ...more) => {
  if (isRefused("open", path)) throw refusal("open");
  return openSync(path, ...more);
};
fs.fstatSync = (fd, ...more) => {
  if (isRefused("fstat", pathOf(fd))) throw refusal("fstat");
  return fstatSync(fd, ...more);
};
fs.readSync = (fd, ...more) => {
  if (isRefused("read", pathOf(fd))) throw refusal("read");
  return readSync(fd, ...more);
};
fs.read = (fd, ...more) => {
  if (isRefused("read", pathOf(fd))) more.at(-1)(refusal("read"));
  else read(fd, ...more);
};
syncBuiltinESMExports();
