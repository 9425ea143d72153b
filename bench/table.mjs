// The results as a Markdown table.
import { isOwn, ratioOf } from "./summary.mjs";

const header = [
  "workload",
  "softjac, s",
  "peer",
  "peer, s",
  "times faster",
  "target",
  "softjac with fsync, s",
  "times faster",
  "peak MiB softjac / peer",
];

export function markdownTable({ machine, workloads }) {
  const { softjac, node, cpu, cores, memoryMiB, fileSystem, date } = machine;
  const rows = [header, header.map(() => "---"), ...workloads.flatMap(lines)];
  const table = rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const gib = Math.round(memoryMiB / 1024);
  return `${table}

softjac ${softjac}, Node ${node}, ${cpu}, ${cores} cores, ${gib} GiB, ${fileSystem}, ${date}. In parentheses: minimum and maximum.
`;
}

function lines(workload) {
  const { name, softjac, unsynced, peers, peak, skipped } = workload;
  const row = (cells) => [
    name,
    ...header.slice(1).map((_, n) => cells[n] ?? ""),
  ];
  if (skipped) return [row(["", `skipped: ${skipped}`])];
  if (peak) {
    const peaks = `${mib(softjac.peakBytes)} / ${mib(peak.peakBytes)}`;
    const against = `softjac, ${peak.comparedWith} (peak memory)`;
    const wanted = `peak ≤ ${peak.wanted}×${missed(peak)}`;
    return [row(["", against, "", "", wanted, seconds(softjac), "", peaks])];
  }
  if (peers.length === 0)
    return [
      row([seconds(softjac), "", "", "", "", "", "", mib(softjac.peakBytes)]),
    ];
  return peers.map((peer) => {
    const own = isOwn(peer.name);
    const found = ratioOf(peer);
    const met = found.median >= peer.wanted;
    return row([
      seconds(own ? softjac : unsynced),
      peer.name,
      seconds(peer),
      ratio(found),
      `≥ ${peer.wanted}${missed({ met })}`,
      own ? "" : seconds(softjac),
      own ? "" : ratio(peer.timesFaster),
      `${mib(softjac.peakBytes)} / ${mib(peer.peakBytes)}`,
    ]);
  });
}

function missed({ met }) {
  return met ? "" : " (missed)";
}

function seconds({ seconds: { median, min, max, all } }) {
  const text = median.toFixed(3);
  return all.length > 1
    ? `${text} (${min.toFixed(3)}–${max.toFixed(3)})`
    : text;
}

function ratio({ median, min, max }) {
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

function mib(bytes) {
  return String(Math.round(bytes / 2 ** 20));
}
