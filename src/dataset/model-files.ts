import { InputChangedError, InputMissingError } from "../errors.js";
import { openInputFile } from "../input/input-file.js";
import { readInputAsync } from "../input/read-input.js";
import { isRemote } from "../io/location.js";
import { readMatrix } from "../model/coefficients.js";
import {
  MODEL_COPIES,
  type ModelFile,
  type ModelOptions,
  RunModel,
} from "../model/run-model.js";
import { openStore } from "../storage/open-store.js";
import type { StoreAccess } from "../storage/store.js";
import { sha256 } from "./dataset-plan.js";
import type { DatasetRun } from "./dataset-run.js";

// A run has copies of the files of its model beside its plan, so that every machine that can store a shard can read them.

/** Model of a dataset that is planned, and the contents of its files. */
export interface PlannedModel {
  model: RunModel | null;
  contents: ReadonlyMap<ModelFile, Uint8Array>;
}

/** Reads the model of a dataset from its files. @throws SoftjacError */
export async function readPlannedModel(
  options: ModelOptions,
  access: StoreAccess,
): Promise<PlannedModel> {
  const contents = new Map<ModelFile, Uint8Array>();
  const model = await RunModel.read(options, async (option, path) => {
    const content = await contentOf(path, access);
    contents.set(option, content);
    return readMatrix(path, content);
  });
  return { model, contents };
}

async function contentOf(
  path: string,
  access: StoreAccess,
): Promise<Uint8Array> {
  if (isRemote(path)) {
    const content = await (await openStore(path, access)).read(path);
    if (!content) throw new InputMissingError(path);
    return content;
  }
  const { fd, bytes, close } = openInputFile(path);
  try {
    const content = new Uint8Array(bytes);
    await readInputAsync({ path, fd }, content, 0);
    return content;
  } finally {
    close();
  }
}

/** Returns the SHA-256 of the files of a model by option; undefined without a model. */
export function hashesOf({ contents }: PlannedModel) {
  if (contents.size === 0) return undefined;
  const hashes: Partial<Record<ModelFile, string>> = {};
  for (const [option, content] of contents) hashes[option] = sha256(content);
  return hashes;
}

/** Reads the model of a planned run from the copies of its files, which must have the hashes in the plan. */
export async function readStoredModel(
  run: Pick<DatasetRun, "plan" | "readStored">,
): Promise<RunModel | null> {
  const { options, model } = run.plan.of;
  return RunModel.read(options, async (option) => {
    const { path, content } = await run.readStored(MODEL_COPIES[option]);
    if (!content)
      throw new InputMissingError(
        path,
        {},
        `${path}: no such file; plan the run again`,
      );
    const [expected, found] = [model?.[option], sha256(content)];
    if (found !== expected)
      throw new InputChangedError(
        path,
        `changed since the run was planned (SHA-256 ${expected}, now ${found}): remove it and plan the run again`,
      );
    return readMatrix(path, content);
  });
}
