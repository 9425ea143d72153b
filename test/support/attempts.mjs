// usage: node attempts.mjs OUTPUT INPUT...
// Tries all operations on each file, in a separate process so that the caller detects crashes and hangs. Prints JSON:
// { outcomes: { [input]: [attempt, code or "ok"][] }, peakBytes }. An input may be "-".
import { inspect, run } from "../../dist/index.js";
import { CLEAR_MESSAGE } from "./clear-message.mjs";
import { peakBytes } from "./peak-bytes.mjs";

const [output, ...inputs] = process.argv.slice(2);
const MAX_COLUMNS = 12;

async function outcomesOf(input) {
  const outcomes = [];
  const attempt = async (name, work) => {
    try {
      const found = await work();
      outcomes.push([name, "ok"]);
      return found;
    } catch (error) {
      const clear = CLEAR_MESSAGE.test(error.message);
      outcomes.push([name, clear ? error.code : `unclear: ${error.message}`]);
    }
  };
  const plain = { input, output, force: true };
  await attempt("run", () => run(plain));
  // A pipe can be read only once.
  if (input === "-") return outcomes;
  const found = await attempt("inspect", () => inspect({ input, scan: true }));
  const lenient = {
    ...plain,
    onBadRow: "null",
    nullLogit: "mask",
    allowMissingEos: true,
  };
  await attempt("--columns *", () => run({ ...lenient, columns: "*" }));
  const names = (found?.columns ?? []).map(({ name }) => name);
  for (const name of [...new Set(names)].slice(0, MAX_COLUMNS)) {
    await attempt(`--column ${name}`, () => run({ ...lenient, column: name }));
    await attempt(`--keep ${name}`, () => run({ ...lenient, keep: [name] }));
  }
  return outcomes;
}

const outcomes = {};
for (const input of inputs) outcomes[input] = await outcomesOf(input);
console.log(JSON.stringify({ outcomes, peakBytes: peakBytes() }));
