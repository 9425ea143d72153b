import { isS3 } from "../io/location.js";
import type { StoreAccess } from "../storage/open-store.js";
import { FileInputs, type Inputs } from "./inputs.js";
import type { FoundInputs } from "./list-objects.js";

/** @param root directory, or `s3://bucket/prefix`, that input names are relative to */
export async function openInputs(
  root: string,
  access: StoreAccess,
  { states, undecodable }: Partial<FoundInputs> = {},
): Promise<Inputs> {
  if (!isS3(root)) return new FileInputs(root, undecodable);
  const { StagedInputs } = await import("./staged-inputs.js");
  return new StagedInputs(root, access, states);
}
