// One workload: softjac and its peers in turn, round after round.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { checkOutput } from "./check.mjs";
import { measure } from "./measure.mjs";
import { script } from "./python.mjs";
import { summarize, UNSYNCED } from "./summary.mjs";

/** The figures of one workload, as they stand in results.json. Throws when a process fails or an output is wrong. */
export async function runContest(workload, { python, input, work, runs, log }) {
  const output = join(work, "output.arrow");
  const contenders = contendersOf(workload, { python, input, output });
  const alone = contenders.length === 1;
  const first = alone ? "once" : "warm-up";
  const checks = {};
  const rounds = [];

  // Round 0 warms up; what it writes is checked before anything is timed. Who runs alone runs once, for its memory.
  for (let round = 0; round <= (alone ? 0 : runs); round += 1) {
    const figures = {};
    for (const contender of contenders) {
      const { name } = contender;
      figures[name] = await measure(python, contender);
      log(`  ${round || first}  ${name}  ${describe(figures[name])}`);
      if (round === 0) checks[name] = await checkOutput(python, contender);
    }
    if (round > 0 || alone) rounds.push(figures);
  }
  await rm(output, { force: true });
  return summarize(workload, rounds, checks);
}

function contendersOf({ peers, args = [], results = "bsr" }, settings) {
  const { python, input, output } = settings;
  const softjac = script("../dist/cli.js");
  const plain = ["run", input, "-o", output, "--quiet"];
  const run = [...plain, ...args];
  const files = { input, output, results };
  return [
    {
      name: "softjac",
      command: [process.execPath, softjac, ...run],
      ...files,
    },
    ...(peers.length > 0
      ? [
          {
            name: UNSYNCED,
            command: [process.execPath, softjac, ...run, "--no-sync"],
            ...files,
          },
        ]
      : []),
    ...peers.map((peer) => ({
      name: peer.name,
      command:
        peer.name === "softjac-bsr"
          ? [process.execPath, softjac, ...plain]
          : [python.path, script("peers/peers.py"), peer.name, input, output],
      ...files,
      results: peer.results ?? results,
    })),
  ];
}

function describe({ seconds, cpuSeconds, peakBytes }) {
  const peakMiB = Math.round(peakBytes / 2 ** 20);
  return `${seconds.toFixed(3)} s, processor ${cpuSeconds.toFixed(3)} s, peak ${peakMiB} MiB`;
}
