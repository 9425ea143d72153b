// npm run bench: softjac against what a user would otherwise run. See README.md in this folder.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { runContest } from "./contest.mjs";
import { writeReadmeTables } from "./guarantees.mjs";
import { lackOfSpace, prepareInput } from "./inputs.mjs";
import { describeMachine } from "./machine.mjs";
import { readOptions } from "./options.mjs";
import { findPython } from "./python.mjs";
import { comparePeaks } from "./summary.mjs";
import { markdownTable } from "./table.mjs";
import { workloads as everyWorkload } from "./workloads.mjs";
import { writeSection } from "./write-section.mjs";

const log = (line) => process.stderr.write(`${line}\n`);

try {
  const options = readOptions(process.argv.slice(2));
  const results = await bench(options);
  process.stdout.write(`\n${markdownTable(results)}`);
  if (options.write) save(results);
} catch (error) {
  log(`bench: ${error.message}`);
  process.exitCode = 1;
}

async function bench({ work, runs, small, workloads }) {
  const python = await findPython();
  if (small) log("--small: times are mostly start-up, ratios say nothing");
  mkdirSync(work, { recursive: true });
  const results = [];
  for (const workload of workloads) {
    log(workload.name);
    const skipped = await lackOfSpace(workload, work);
    if (skipped) {
      log(`  skipped: ${skipped}`);
      results.push({ name: workload.name, skipped });
      continue;
    }
    const input = await prepareInput(workload, { python, work, log });
    const settings = { python, input, work, runs, log };
    results.push(await runContest(workload, settings));
  }
  comparePeaks(results, workloads);
  return {
    small,
    machine: describeMachine(work, python.versions),
    workloads: results,
  };
}

/** Workloads that were not run keep the figures that they have, where those are of the same machine. */
function save(run) {
  const folder = new URL("results/", import.meta.url);
  mkdirSync(folder, { recursive: true });
  const results = { ...run, workloads: withKnown(run, folder) };
  const json = `${JSON.stringify(results, null, 2)}\n`;
  writeFileSync(new URL("results.json", folder), json);
  writeSection("bench/RESULTS.md", "speed", markdownTable(results).trimEnd());
  writeReadmeTables();
  log("\nwritten: bench/results/results.json, bench/RESULTS.md, README.md");
}

function withKnown({ machine, small, workloads }, folder) {
  const path = new URL("results.json", folder);
  const known = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  const isSame =
    known.small === small &&
    ["cpu", "cores", "node", "softjac", "kernel", "fileSystem"].every(
      (key) => known.machine?.[key] === machine[key],
    );
  return everyWorkload.flatMap(({ name }) => {
    const of = (list = []) => list.find((workload) => workload.name === name);
    return of(workloads) ?? (isSame ? of(known.workloads) : undefined) ?? [];
  });
}
