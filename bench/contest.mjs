// One workload: softjac and its peers in turn, round after round.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { checkOutput } from "./check.mjs";
import { prepareInput } from "./inputs.mjs";
import { measure } from "./measure.mjs";
import { script } from "./python.mjs";
import { summarize, UNSYNCED } from "./summary.mjs";

/** Peers that are softjac itself, on the workload's rows in another form (`against`). */
const OTHER_FORMS = ["softjac-plain", "softjac-float64"];

/** The figures of one workload, as they stand in results.json. Throws when a process fails or an output is wrong. */
export async function runContest(workload, { python, input, work, runs, log }) {
  const output = join(work, "output.arrow");
  // The same rows in the form that they are compared with.
  const other = await prepareInput(
    { ...workload, ...workload.against },
    { python, work, log },
  );
  const contenders = contendersOf(workload, { python, input, other, output });
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
      if (round === 0 && contender.results)
        checks[name] = await checkOutput(python, contender);
    }
    if (round > 0 || alone) rounds.push(figures);
  }
  await rm(output, { force: true, recursive: true });
  return summarize(workload, rounds, checks);
}

function contendersOf(
  { peers, args = [], results = "bsr", piped, sharded, sums, model },
  settings,
) {
  const { python, input, other, output } = settings;
  const softjac = [process.execPath, script("../dist/cli.js")];
  if (sums) return summing({ sums, model, peers }, softjac, settings);
  const runOn = (path, out = output) => [
    ...softjac,
    "run",
    path,
    "-o",
    out,
    "--quiet",
  ];
  // With a slash at its end the output is a folder of parts.
  const target = sharded ? `${output}/` : output;
  const files = { input, output, results };
  const own = (name, more) =>
    piped
      ? // Nothing stands on a disk that could be checked: a test does.
        { name, command: pipeline(softjac, input, more), output }
      : {
          name,
          command: [...runOn(input, target), ...args, ...more],
          ...files,
        };
  return [
    own("softjac", []),
    ...(peers.length > 0 ? [own(UNSYNCED, ["--no-sync"])] : []),
    ...peers.map((peer) => ({
      name: peer.name,
      command:
        peer.name === "softjac-bsr"
          ? runOn(input)
          : OTHER_FORMS.includes(peer.name)
            ? runOn(other)
            : [python.path, script("peers/peers.py"), peer.name, input, output],
      ...files,
      input: OTHER_FORMS.includes(peer.name) ? other : input,
      results: peer.results ?? results,
    })),
  ];
}

/** softjac and its peers that sum over rows. */
function summing({ sums, model, peers }, softjac, { python, input, output }) {
  const features = ["--features", "x_*", "--intercept"];
  const files = model
    ? [...features, "--coefficients", `${input}.B.npy`]
    : ["--column", "logits"];
  const [command, ...args] = sums;
  const v =
    command === "effects" ? ["--covariance-file", `${input}.V.npy`] : [];
  const own = [...softjac, command, input, "-o", output, "--quiet", ...files];
  const contender = (name, command, results) => ({
    ...{ name, command, input, output, results },
  });
  const by = args.indexOf("--by");
  const others = {
    "softjac-ungrouped": [...own, ...args.slice(0, by)],
    "softjac-entropy": [
      ...[...softjac, "run", input, "-o", output, "--quiet", "--no-sync"],
      ...["--emit", "entropy"],
    ],
  };
  const script_ = script("peers/effects.py");
  return [
    contender("softjac", [...own, ...args, ...v], by < 0 ? model : undefined),
    contender(UNSYNCED, [...own, ...args, ...v, "--no-sync"]),
    ...peers.map(({ name }) =>
      contender(
        name,
        others[name] ?? [python.path, script_, model, input, `${output}.npy`],
      ),
    ),
  ];
}

/** From standard input to standard output, and a reader who is as quick as one can be. */
function pipeline(softjac, input, more) {
  const quoted = (words) => words.map((word) => `'${word}'`).join(" ");
  const run = quoted([...softjac, "run", "-", "-o", "-", "--quiet", ...more]);
  return ["/bin/sh", "-c", `cat ${quoted([input])} | ${run} | cat > /dev/null`];
}

function describe({ seconds, cpuSeconds, peakBytes }) {
  const peakMiB = Math.round(peakBytes / 2 ** 20);
  return `${seconds.toFixed(3)} s, processor ${cpuSeconds.toFixed(3)} s, peak ${peakMiB} MiB`;
}
