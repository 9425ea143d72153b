// From the rounds of one workload to its figures.
import { spread } from "./statistics.mjs";

/** softjac as its peers do it: nobody waits for the disk. */
export const UNSYNCED = "softjac --no-sync";

/** Peers that are softjac itself wait for the disk, as it does unless told otherwise. */
export const isOwn = (peer) => peer.startsWith("softjac");

/** Like with like: where peers leave their output to the page cache, softjac does too. */
export const ratioOf = ({ name, timesFaster, timesFasterUnsynced }) =>
  isOwn(name) ? timesFaster : timesFasterUnsynced;

/** `rounds`: per round, { seconds, cpuSeconds, peakBytes } of every contender by name. */
export function summarize(workload, rounds, checks) {
  const { name, rows, classes, dtype, peers } = workload;
  return {
    name,
    rows,
    classes,
    dtype,
    rounds: rounds.length,
    softjac: figuresOf("softjac", rounds, checks),
    unsynced: peers.length > 0 ? figuresOf(UNSYNCED, rounds, checks) : null,
    peers: peers.map((peer) => ({
      name: peer.name,
      ...figuresOf(peer.name, rounds, checks),
      ...versus(peer, rounds),
    })),
  };
}

function figuresOf(name, rounds, checks) {
  const column = (figure) => rounds.map((round) => round[name][figure]);
  return {
    seconds: { ...spread(column("seconds")), all: column("seconds") },
    cpuSeconds: spread(column("cpuSeconds")),
    peakBytes: Math.max(...column("peakBytes")),
    check: checks[name],
  };
}

/** Ratios are taken within a round, so that a slow minute of the machine weighs on both sides of one. */
function versus({ name, wanted }, rounds) {
  const ratios = (own) =>
    rounds.map((round) => round[name].seconds / round[own].seconds);
  return {
    timesFaster: spread(ratios("softjac")),
    timesFasterUnsynced: spread(ratios(UNSYNCED)),
    wanted,
  };
}

/**
 * "No higher", measured: a run of some seconds is compiled once more by V8, which takes some 10 MiB on top of 80, once:
 * 4 and 10 million rows peak alike.
 */
const PEAK_NOISE = 1.15;

/** Adds, to workloads that ask for it, how their peak memory stands to another workload's. */
export function comparePeaks(results, workloads) {
  for (const result of results) {
    const other = workloads.find(({ name }) => name === result.name);
    const base = results.find(({ name }) => name === other?.peakNoHigherThan);
    if (result.skipped || !base) continue;
    const timesPeak = result.softjac.peakBytes / base.softjac.peakBytes;
    result.peak = {
      comparedWith: base.name,
      peakBytes: base.softjac.peakBytes,
      timesPeak: Math.round(timesPeak * 1000) / 1000,
      wanted: PEAK_NOISE,
      met: timesPeak <= PEAK_NOISE,
    };
  }
}
