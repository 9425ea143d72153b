import { fingerprintOf } from "../dataset/fingerprint.js";
import type { StoredRunOver } from "../dataset/plan-run-over.js";
import { openPlannedRun } from "../dataset/planned-run.js";
import { isS3 } from "../store/location.js";
import type { S3Access } from "../store/s3-options.js";
import { VERSION } from "../version.js";
import type { AllowedLocations } from "./allowed-locations.js";
import type { ShardJob } from "./jobs.js";
import { JobRefusedError } from "./refusal.js";

/** Plans kept: they may be large, and jobs of few runs come mixed. */
const KEPT = 4;

/** The runs that a worker's jobs are of: opened once, and only where the worker may. */
export class PlannedRuns {
  readonly #opened = new Map<string, StoredRunOver>();

  constructor(
    private readonly allowed: AllowedLocations,
    private readonly s3: S3Access = {},
  ) {}

  /**
   * The run of a job.
   * @throws JobRefusedError for one that is elsewhere than allowed, of another version, or without that shard;
   * PlanMissingError
   */
  async of({ output, run, index }: ShardJob): Promise<StoredRunOver> {
    const key = `${run} ${output}`;
    const found = this.#opened.get(key) ?? (await this.#open(output, run));
    // The last used is the last to go.
    this.#opened.delete(key);
    this.#opened.set(key, found);
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > KEPT) this.#opened.delete(oldest as string);
    if (index >= found.run.shards)
      throw new JobRefusedError(
        `${output}: run ${run} has only ${found.run.shards} shards, so there is no shard ${index}`,
      );
    return found;
  }

  async #open(output: string, run: string): Promise<StoredRunOver> {
    await this.allowed.check("output", output);
    // The run's folder may be a link of its own; on S3 there is none beside the output.
    if (!isS3(output))
      await this.allowed.check("output", `${output}.__wip-${run}`);
    const found = await openPlannedRun(output, run, this.s3);
    const { plan } = found.run;
    refuseOtherVersion(output, run, plan);
    await this.allowed.check("inputs", plan.root);
    return found;
  }
}

/** @throws JobRefusedError for a plan that this build would not have made so: its numbers may be others */
function refuseOtherVersion(
  output: string,
  run: string,
  { of }: StoredRunOver["run"]["plan"],
): void {
  const own = fingerprintOf({ ...of, format: 1, softjac: VERSION });
  if (own === run) return;
  throw new JobRefusedError(
    `${output}: run ${run} was planned by softjac ${String(of.softjac)}, but this worker is softjac ${VERSION}, which may write different bytes; use workers of the same version`,
  );
}
