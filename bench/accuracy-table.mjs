// The results of accuracy.mjs as a Markdown table.

export const ACCURACY_KINDS = {
  digits: "trained digits classifier",
  normal: "N(0,3)",
  uniform: "U(−300,300)",
};

/** Two digits, or the magnitude where it is large. */
const figure = (x) =>
  x < 1e4
    ? String(Number(x.toPrecision(2)))
    : x.toExponential(1).replace("+", "");
const span = (values) => {
  const low = figure(Math.min(...values));
  const high = figure(Math.max(...values));
  return low === high ? low : `${low} to ${high}`;
};
export function accuracyTable(results) {
  const rows = [
    "| logits | NumPy, PyTorch, JAX: softmax | diagonal of J | off-diagonal | softjac: softmax | diagonal | off-diagonal | in ulp | correctly rounded |",
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ...Object.entries(ACCURACY_KINDS).map(([kind, title]) => {
      const { softjac, ulp, correct, ...peers } = results[kind];
      const cells = [0, 1, 2].map((k) =>
        span(Object.values(peers).map((errors) => errors[k])),
      );
      const own = [
        ...softjac.map((x) => x.toFixed(2)),
        Math.max(...ulp).toFixed(3),
        `${(100 * Math.min(...correct)).toFixed(1)} %`,
      ];
      return `| ${[title, ...cells, ...own.map((x) => `**${x}**`)].join(" | ")} |`;
    }),
  ];
  return rows.join("\n");
}
