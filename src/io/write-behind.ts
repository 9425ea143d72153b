import { write } from "node:fs";

/** Writes all of `source` at `position` without holding up the thread. */
export async function writeBehind(
  fd: number,
  source: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < source.byteLength; )
    done += await writeSome(fd, source.subarray(done), position + done);
}

function writeSome(
  fd: number,
  source: Uint8Array,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) =>
    write(fd, source, 0, source.byteLength, position, (error, written) =>
      error ? reject(error) : resolve(written),
    ),
  );
}
