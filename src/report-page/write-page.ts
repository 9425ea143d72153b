import { writeFully } from "../io/positional.js";
import { openPending } from "../output/commit.js";
import { ioError } from "../system-error.js";
import type { ResolvedReportOptions } from "./options.js";

/** Puts the page under its name, whole. @returns its bytes. @throws OutputExistsError, IoError, PermissionError */
export async function writePage(
  { output: path, force, sync }: ResolvedReportOptions,
  page: string,
): Promise<number> {
  const bytes = new TextEncoder().encode(page);
  const output = await openPending(path, bytes.byteLength, { force, sync });
  try {
    writeFully(output.fd, bytes, 0);
    await output.commit();
  } catch (error) {
    await output.discard();
    throw ioError(path, "could not be written", error);
  }
  return bytes.byteLength;
}
