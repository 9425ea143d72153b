import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { AbortedError } from "../errors.js";

/** Read at once. */
const STEP_BYTES = 1 << 20;

/** SHA-256 of a file, in hexadecimal digits. @throws AbortedError */
export async function hashFile(
  file: Pick<FileHandle, "read">,
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash("sha256");
  const bytes = new Uint8Array(STEP_BYTES);
  for (let at = 0; ; ) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    const { bytesRead } = await file.read(bytes, 0, STEP_BYTES, at);
    if (bytesRead === 0) return hash.digest("hex");
    hash.update(bytes.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** The same by its path. */
export async function hashPath(path: string): Promise<string> {
  const file = await open(path);
  try {
    return await hashFile(file);
  } finally {
    await file.close();
  }
}
