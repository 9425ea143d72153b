import type { SoftjacError } from "../errors.js";
import type { Store } from "../store/store.js";
import type { DatasetPlan, LeftOutInput, PinnedInput } from "./dataset-plan.js";
import { COMMITS, commitName, partName } from "./names.js";
import { decodeJson, encodeJson } from "./records.js";

/** Errors of one input that another call would meet again. */
const BAD_INPUT = [
  "ERR_INPUT_FORMAT",
  "ERR_INPUT_UNSUPPORTED",
  "ERR_LOGITS_COLUMN",
  "ERR_BAD_ROW",
  "ERR_RAGGED_ROW",
];

export function isBadInput(error: unknown): error is SoftjacError {
  return BAD_INPUT.includes((error as SoftjacError | null)?.code ?? "");
}

/** What is wrong with an input, whatever folder it is in. */
export function errorOfInput(
  { message }: SoftjacError,
  path: string,
  name: string,
): string {
  return message.replaceAll(path, name);
}

/** What is kept of an input that was found bad while its parts were made. */
interface LeftOutRecord {
  fingerprint: string;
  input: number;
  error: string;
}

/** The inputs that a run over a dataset goes on without: those the plan leaves out, and those of its own records. */
export class LeftOutInputs {
  constructor(
    private readonly store: Store,
    private readonly plan: DatasetPlan,
  ) {}

  /** Keeps it for whoever works on the run. @throws MissingFolder */
  async put(wip: string, input: number, error: string): Promise<void> {
    const { fingerprint } = this.plan;
    const record: LeftOutRecord = { fingerprint, input, error };
    await this.store.putIfAbsent(
      `${wip}/${recordName(input)}`,
      encodeJson(record),
    );
  }

  /** Those found bad since the plan, by number. */
  async found(folder: string): Promise<Map<number, string>> {
    const found = new Map<number, string>();
    const names = await this.store.list(`${folder}/${COMMITS}`, RECORD);
    for (const name of names.keys()) {
      const bytes = await this.store.read(`${folder}/${COMMITS}/${name}`);
      const record = decodeJson(bytes) as LeftOutRecord | null;
      if (record?.fingerprint === this.plan.fingerprint)
        found.set(record.input, record.error);
    }
    return found;
  }

  /** All of them, in the order of the inputs. */
  async all(folder: string): Promise<Pick<LeftOutInput, "name" | "error">[]> {
    const { inputs, leftOut } = this.plan.of;
    const found = [...(await this.found(folder))].map(([input, error]) => ({
      name: (inputs[input] as PinnedInput).name,
      error,
    }));
    return [
      ...leftOut.map(({ name, error }) => ({ name, error })),
      ...found,
    ].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Removes what has been made of them: half of an input is none of a dataset's. */
  async sweep(folder: string): Promise<void> {
    const found = await this.found(folder);
    const { shards } = this.plan.of;
    for (const [shard, { input }] of shards.entries()) {
      if (!found.has(input)) continue;
      await this.store.remove(`${folder}/${commitName(shard)}`);
      await this.store.remove(`${folder}/${partName(shard, shards.length)}`);
    }
  }
}

const RECORD = "input-";

function recordName(input: number): string {
  return `${COMMITS}/${RECORD}${String(input).padStart(5, "0")}.json`;
}
