// usage: node try-files.mjs FILE...
// Reads damaged files in a process of its own, so that a crash or a hang is seen as one. Prints, for each, one line of
// JSON: { path, code, text, ms, tried }; `code` is "ok" or that of the error. Inputs are run, with the output in
// FILE.out; outputs (FILE.jacobian) are read, block by block, and compared with what flechette reads of them.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { tableFromIPC } from "@uwdata/flechette";
import { inspect, openJacobian, run } from "../../dist/index.js";
import { CLEAR_MESSAGE } from "../support/clear-message.mjs";
import { peakBytes } from "../support/peak-bytes.mjs";

for (const path of process.argv.slice(2)) {
  // Processor time: others may use the machine, too.
  const start = process.cpuUsage();
  const [code, text] = await outcome(() =>
    path.endsWith(".jacobian") ? readBlocks(path) : runInput(path),
  );
  // Every fourth file by its number, because it takes longer than all else.
  const number = Number.parseInt(basename(path), 10);
  const isInput = !path.endsWith(".jacobian");
  const tried = isInput && number % 4 === 0 ? await lenient(path) : [];
  const { user, system } = process.cpuUsage(start);
  const ms = Math.round((user + system) / 1000);
  const used = { ms, peakBytes: peakBytes() };
  console.log(JSON.stringify({ path, code, text, tried, ...used }));
}

async function outcome(work) {
  try {
    return ["ok", (await work()) ?? ""];
  } catch (error) {
    const { message, code = error.name } = error;
    return CLEAR_MESSAGE.test(message)
      ? [code, message]
      : [`unclear ${code}`, message];
  }
}

function keepOf(path) {
  return /\.(arrows?|parquet)$/.test(path) ? ["id", "name", "split"] : [];
}

async function runInput(input) {
  await run({
    input,
    output: `${input}.out`,
    keep: keepOf(input),
    ...(input.endsWith(".npy") ? {} : { column: "logits" }),
    emit: ["softmax"],
    dtype: "float64",
    force: true,
    sync: false,
    threads: 1,
  });
}

/** What else may be tried on an input: whatever it gives, it ends, and with an error of ours. */
async function lenient(input) {
  const options = { onBadRow: "null", nullLogit: "mask", columns: "*" };
  const output = `${input}.lenient`;
  return Promise.all([
    outcome(() => inspect({ input, scan: true })),
    outcome(() => run({ input, output, force: true, ...options })),
  ]);
}

/** Reads every block by batch and by row; returns where flechette reads another. */
async function readBlocks(path) {
  const reader = await openJacobian(path);
  try {
    const found = new Map();
    for await (const batch of reader)
      for (let k = 0; k < batch.count; k++)
        found.set(Number(batch.rows[k]), textOf(await batch.block(k)));
    for (const [row, text] of found)
      if (textOf(await reader.block(row)) !== text)
        return `row ${row}: another block by its number`;
    const layout = /(\w+)\.jacobian$/.exec(path)[1];
    const second = blocksOf(readFileSync(path), layout, reader.classes);
    for (const row of new Set([...found.keys(), ...second.keys()]))
      if (found.get(row) !== second.get(row))
        return `row ${row}: ${found.get(row)}, and flechette reads ${second.get(row)}`;
    return "";
  } finally {
    await reader.close();
  }
}

/** Entries that are not 0, as text. */
function textOf(block) {
  return (
    block &&
    [...block].flatMap((x, n) => (x === 0 ? [] : [`${n}: ${x}`])).join()
  );
}

function blocksOf(bytes, layout, classes) {
  const table = tableFromIPC(bytes, { useBigInt: false });
  const column = (name) => [...table.getChild(name)];
  const rows = column("row");
  const found = new Map();
  const block = () => new Float64Array(classes * classes);
  if (layout === "coo") {
    const [i, j, value] = ["i", "j", "value"].map(column);
    rows.forEach((row, n) => {
      if (!found.has(row)) found.set(row, block());
      found.get(row)[classes * i[n] + j[n]] = value[n];
    });
  } else {
    const values = column(layout === "csr" ? "values" : "jacobian");
    const indices = layout === "csr" ? column("indices") : null;
    rows.forEach((row, n) => {
      const own = values[n] && block();
      for (let k = 0; own && k < values[n].length; k++)
        own[indices ? indices[n][k] : k] = values[n][k];
      found.set(row, own);
    });
  }
  for (const [row, values] of found) found.set(row, textOf(values));
  return found;
}
