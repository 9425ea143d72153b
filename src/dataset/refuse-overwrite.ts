import { UsageError } from "../errors.js";

/** For places where nothing is replaced. @throws UsageError */
export function refuseOverwrite(out: string, overwrite: boolean): void {
  if (overwrite)
    throw new UsageError(
      `overwrite: a dataset on S3 cannot be replaced; choose another prefix, or remove ${out} first`,
      "overwrite",
    );
}
