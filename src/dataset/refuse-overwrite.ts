import { UsageError } from "../errors.js";

/** For places where nothing is replaced. @throws UsageError */
export function refuseOverwrite(out: string, overwrite: boolean): void {
  if (overwrite)
    throw new UsageError(
      `overwrite: expected a folder as output, which can be renamed when the new one is complete, found ${out} (another prefix, or remove the old dataset first)`,
      "overwrite",
    );
}
