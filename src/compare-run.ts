import { fstatSync } from "node:fs";
import { openArrowFile } from "./input/arrow-file.js";
import { openLogits } from "./input/logits-file.js";
import { DifferentByte } from "./io/put-bytes.js";
import { openOptionsOf, type RunOptions, resolveOptions } from "./options.js";
import { optionsOfFile } from "./options-of-file.js";
import { type EntriesJob, planEntriesJob } from "./ordered/entries-job.js";
import { writeEntries } from "./ordered/write-entries.js";
import type { OutputTarget } from "./output/commit.js";
import type { PlacedBatch } from "./output/jacobian-file.js";
import { type Job, planJob } from "./planned/job.js";
import { writePlanned } from "./planned/write-planned.js";
import { openTaskPool } from "./pool/task-pool.js";
import type { Production } from "./production.js";
import { ReportBuilder } from "./report.js";
import { isEntriesLayout } from "./results/catalogue.js";
import type { RunHooks } from "./run.js";
import { allocateKernelMemory } from "./slots/kernel-memory.js";
import { VERSION } from "./version.js";
import { whereInFile } from "./where-in-file.js";
import { workerSetup } from "./worker-setup.js";

/** What a comparison of bytes found. */
export interface ByteComparison {
  /** Every byte was compared with what a run writes; false where another version made the file. */
  compared: boolean;
  /** One sentence: the first difference, or why nothing was compared. */
  finding: string | null;
}

/**
 * Does the run that made a file again, and compares every byte with the file's in the place of writing it: row numbers,
 * kept columns, results and metadata. Takes the time of a run, or less.
 *
 * @param inputs the input file, and the columns of it that went into the results
 * @throws SoftjacError as run would
 */
export async function compareRun(
  path: string,
  inputs: Pick<RunOptions, "input" | "threads" | "kernel"> &
    Partial<RunOptions>,
  { signal, onProgress }: RunHooks,
): Promise<ByteComparison> {
  const file = openArrowFile(path);
  try {
    const made = optionsOfFile(file);
    if (made.version !== VERSION)
      return {
        compared: false,
        finding: `bytes not compared: made by version ${made.version}, this is ${VERSION}`,
      };
    const options = {
      ...resolveOptions({ ...made.options, ...inputs, output: path }),
      source: made.source,
    };
    const logits = openLogits(options.input, openOptionsOf(options));
    try {
      const job = isEntriesLayout(options.layout)
        ? planEntriesJob(options, logits, options.layout)
        : planJob(options, logits);
      const report = new ReportBuilder(VERSION, options.input, path);
      const output: OutputTarget = {
        fd: file.fd,
        compare: true,
        direct: -1,
        wrote: () => {},
      };
      const memory = allocateKernelMemory(
        job.plan.slots * job.slot.bytes,
        options.kernel,
      );
      const pool = await openTaskPool(
        job.plan.threads,
        workerSetup(job, logits, output, memory, options.temperature),
      );
      const batches: PlacedBatch[] = [];
      const production: Production = {
        logits,
        pool,
        buffer: memory.buffer,
        output,
        paths: options,
        report,
        signal,
        onProgress: () => onProgress?.(report.rowsDone, job.plan.rows),
        onBatches: (placed) => batches.push(...placed),
      };
      try {
        await doAgain(job, production, (skipped) =>
          planJob(
            options,
            logits,
            skipped,
            job.kind === "planned" ? job.plan.batchRows : undefined,
          ),
        );
      } catch (error) {
        if (!(error instanceof DifferentByte)) throw error;
        const { position, expected, found } = error;
        const where = whereInFile(file.footer.schema.fields, batches, position);
        return {
          compared: true,
          finding: `${path}: ${where}: expected byte ${position} to be ${expected}, found ${found ?? "the end of the file"}`,
        };
      } finally {
        await pool.close();
      }
      const bytes = fstatSync(file.fd).size;
      const { outputBytes } = report.finish("done");
      return {
        compared: true,
        finding:
          bytes === outputBytes
            ? null
            : `${path}: expected ${outputBytes} bytes, found ${bytes}`,
      };
    } finally {
      logits.close();
    }
  } finally {
    file.close();
  }
}

async function doAgain(
  job: Job | EntriesJob,
  production: Production,
  replan: Parameters<typeof writePlanned>[2],
): Promise<void> {
  if (job.kind === "entries") await writeEntries(job, production);
  else await writePlanned(job, production, replan);
}
