// The results as a Markdown table.

const header = [
  "workload",
  "softjac median s",
  "peer",
  "peer median s",
  "times faster",
  "nobody waiting for the disk",
  "wanted",
  "peak MiB softjac / peer",
];

export function markdownTable({ machine, workloads }) {
  const { softjac, node, cpu, cores, memoryMiB, fileSystem, date } = machine;
  const rows = [header, header.map(() => "---"), ...workloads.flatMap(lines)];
  const table = rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const gib = Math.round(memoryMiB / 1024);
  return `${table}

softjac ${softjac}, Node ${node}, ${cpu}, ${cores} cores, ${gib} GiB, ${fileSystem}, ${date}. Least and most in brackets.
`;
}

function lines(workload) {
  const { name, softjac, peers, peak, skipped } = workload;
  if (skipped) return [[name, "", `skipped: ${skipped}`, "", "", "", "", ""]];
  const own = [name, seconds(softjac)];
  if (peak) {
    const peaks = `${mib(softjac.peakBytes)} / ${mib(peak.peakBytes)}`;
    const against = `softjac, ${peak.comparedWith} (peak memory)`;
    return [
      [
        ...own,
        against,
        "",
        "",
        "",
        `peak ≤ ${peak.wanted}×${peak.met ? "" : " (missed)"}`,
        peaks,
      ],
    ];
  }
  if (peers.length === 0)
    return [[...own, "", "", "", "", "", mib(softjac.peakBytes)]];
  return peers.map((peer) => [
    ...own,
    peer.name,
    seconds(peer),
    ratio(peer.timesFaster),
    ratio(peer.timesFasterUnsynced),
    `≥ ${peer.wanted}${peer.met ? "" : " (missed)"}`,
    `${mib(softjac.peakBytes)} / ${mib(peer.peakBytes)}`,
  ]);
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
