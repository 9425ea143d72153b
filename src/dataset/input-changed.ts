import { InputFormatError } from "../errors.js";
import type { InputState } from "./dataset-plan.js";

/** The run's plan is no longer that of its inputs. */
export class InputChangedError extends InputFormatError {}

/** @throws InputChangedError for an input that is not what it was */
export function refuseChanged(
  path: string,
  planned: InputState,
  found: InputState | null,
): void {
  const { bytes, modified, etag } = planned;
  if (
    found?.bytes === bytes &&
    found.modified === modified &&
    found.etag === etag
  )
    return;
  throw new InputChangedError(
    path,
    etag === undefined ? "file" : "object",
    `expected it as it was when the run was planned (${describe(planned)}), found another${found ? ` (${describe(found)})` : ""}`,
  );
}

function describe({ bytes, modified, etag }: InputState): string {
  return etag === undefined
    ? `${bytes} bytes, changed at ${modified} ns`
    : `${bytes} bytes, ETag ${etag}`;
}
