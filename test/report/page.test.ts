import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { parseHTML } from "linkedom";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import type { ReportOptions, RunOptions } from "../../src/index.js";
import { digits } from "../../src/report/page/html.js";
import { DIGITS } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { drawnLogits, writeLabelled } from "./reports.js";

const at = workDirectory();
let pages = 0;

/** Runs, and writes a page about the output. */
async function pageOf(
  run: Omit<RunOptions, "output">,
  options: Partial<ReportOptions> = {},
) {
  const results = at(`${pages}.arrow`);
  const output = at(`${pages++}.html`);
  await built.run({ ...run, output: results });
  const report = await built.report({ results, output, ...options });
  return { output, report, text: readFileSync(output, "utf8") };
}

const label = { label: "label" };
const keep = ["label"];
const { output, report, text } = await pageOf(
  { input: DIGITS, dtype: "float64", keep: ["id", "label", "split"] },
  label,
);
test("the page loads nothing", () => {
  expect(text).not.toMatch(/\b(?:src|href|action|poster|data)="(?!#|data:,)/);
  expect(text).not.toMatch(
    /<script|@import|url\(|<iframe|<object|<link(?! rel="icon" href="data:,")/,
  );
  expect(text).toMatch(
    /Content-Security-Policy" content="default-src (&#39;|')none/,
  );
  expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org\/)/);
});

test("every picture has a caption with the number of rows", () => {
  const captions = [...text.matchAll(/<figcaption>([\s\S]*?)<\/figcaption>/g)];
  expect(captions.length).toBe(6);
  for (const [, caption = ""] of captions)
    expect(caption.replace(/<[^>]*>/g, "")).toMatch(/1,797 rows/);
  for (const part of [/<figure/g, /<svg/g, /<svg[^>]*role="img"/g])
    expect(text.match(part)?.length).toBe(6);
});

const { document } = parseHTML(text);
type Elements = Iterable<{ textContent: string }>;
const textsOf = (
  selector: string,
  of: { querySelectorAll(selector: string): Elements } = document,
) => [...of.querySelectorAll(selector)].map(({ textContent }) => textContent);

test("the page shows the numbers of the report", () => {
  const { confidence, calibration, classes } = report;
  const short = (x: number | null | undefined, max?: number) =>
    digits(x as number, max);
  const { uncertainty, entropy } = confidence;
  for (const [selector, ...wanted] of [
    ["#summary .tiles", "1,797 rows with results", "10 classes"],
    [
      "#confidence .facts",
      "319 of 1,797 rows (17.8 %) would lose",
      `${uncertainty?.lostFloat64} rows (0 %) would lose`,
    ],
    [
      "#uncertainty figcaption",
      `All 1,797 rows with results; mean ${short(uncertainty?.mean)}, minimum ${short(uncertainty?.min)}, maximum ${short(uncertainty?.max)}.`,
    ],
    ["#largest-p figcaption", `; mean ${short(confidence.confidence?.mean)}.`],
    ["#entropy figcaption", `; mean ${short(entropy?.mean)} nats.`],
    [
      "#calibration .facts",
      `Accuracy ${short(100 * (calibration?.accuracy as number))} % of 1,797 rows`,
      `error ${short(calibration?.ece)} (15 bins`,
      `likelihood ${short(calibration?.nll, 4)} nats`,
      `score ${short(calibration?.brier, 4)}, the mean`,
    ],
    ["#mean-jacobian figcaption", "over 1,797 rows"],
    ["#confusion figcaption", "of 1,797 rows with a label and p"],
  ] as string[][])
    for (const text of wanted)
      expect(textsOf(selector as string).join()).toContain(text);
  const lines = [...document.querySelectorAll("#classes > div > .scroll tr")];
  const cells = lines.slice(1).map((line) => textsOf("th, td", line));
  expect(cells.map(([k, size, , , labelled]) => [k, size, labelled])).toEqual(
    classes.shown.map((k) => [
      String(k),
      short(classes.sensitivity?.[k]),
      String(classes.labelled?.[k]),
    ]),
  );
});

test("the table of rows", () => {
  const lines = [...document.querySelectorAll("#rows > .scroll tbody tr")];
  expect(lines.length).toBe(20);
  for (const n of [0, 7]) {
    const row = report.rows.mostUncertain[n];
    const cells = textsOf("th, td", lines[n]);
    const first = [row?.row, row?.predicted, row?.label].map(String);
    expect(cells.slice(0, 3)).toEqual(first);
    expect(cells.slice(-3)).toEqual(row?.copied);
    const likely = cells[6]?.split(", ").map((text) => text.split(": "));
    expect(likely?.map(([k, p]) => [Number(k), Number(p)])).toEqual(
      row?.likely
        ?.filter(({ p }) => p >= 0.001)
        .map(({ class: k, p }) => [k, expect.closeTo(p, 3)]),
    );
  }
});

/** Returns the path of three rows with a column of texts. */
function textInput(name: string, texts: string[]): string {
  const logits = texts.map((_, r) => [r, 1, 2]);
  const labels = texts.map((_, r) => r % 3);
  return writeLabelled(at("texts.arrow"), logits, labels, { [name]: texts });
}

const evil = `<script>alert("1")</script><img src=x onerror=alert(2)>'"&`;
const evilPage = await pageOf(
  {
    input: textInput(evil, [evil, "</script><!--", "\u2028"]),
    keep: [evil, "label"],
  },
  { title: evil, ...label },
);

test("text of files is escaped", () => {
  const { text } = evilPage;
  expect(text).toContain("&#60;script&#62;alert(&#34;1&#34;)&#60;/script&#62;");
  expect(text).not.toMatch(/<\/?script|<img|<!--|\u2028/);
});

test("pages are under 3 MB, and show 200 characters of a text", async () => {
  const logits = Array.from({ length: 200 }, (_, r) =>
    Array.from({ length: 100 }, (_, k) => Math.sin(r * 7 + k * k) * 4),
  );
  const labels = logits.map((_, r) => r % 100);
  const input = writeLabelled(at("large.arrow"), logits, labels);
  const large = await pageOf({ input, keep }, { ...label, classes: 100 });
  expect(statSync(large.output).size).toBeLessThan(3e6);
  const texts = Array.from({ length: 30 }, () => "<&>".repeat(100));
  const marked = textInput("markup", texts);
  const page = await pageOf({ input: marked, keep: ["markup"] });
  expect(statSync(page.output).size).toBeLessThan(5e5);
  expect(page.text).toMatch(`${"&#60;&#38;&#62;".repeat(66)}&#60;&#38;…</td>`);
});

const WIDTH = "document.documentElement.scrollWidth";

/** Headless Chromium, which takes half the time of the one with windows. */
const CHROMIUM =
  process.env.CHROMIUM ??
  ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find(existsSync);
let browser: Promise<Browser> | null = null;
afterAll(async () => (await browser)?.close());

/** Opens a page without network; expects no errors, no output on the console, and no requests. */
async function inBrowser(
  path: string,
  use: (page: Page) => Promise<void>,
  colorScheme: "light" | "dark" = "light",
): Promise<void> {
  browser ??= chromium.launch({
    executablePath: CHROMIUM as string,
    args: [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"],
      ...["--no-first-run", "--disable-background-networking"],
      ...["--disable-component-update", "--disable-sync"],
    ],
  });
  const viewport = { width: 1280, height: 900 };
  const options = { colorScheme, offline: true, viewport };
  const context = await (await browser).newContext(options);
  const page = await context.newPage();
  const trouble: string[] = [];
  page.on("console", (message) => trouble.push(message.text()));
  page.on("pageerror", ({ message }) => trouble.push(message));
  page.on("request", (request) => {
    const url = request.url();
    if (url !== `file://${path}` && !url.startsWith("data:")) trouble.push(url);
  });
  await page.goto(`file://${path}`);
  await use(page);
  expect(trouble).toEqual([]);
  await context.close();
}

function drawn(rows: number, classes: number): string {
  const logits = drawnLogits(rows, classes);
  const labels = logits.map((_, r) => r % classes);
  return writeLabelled(at(`${rows}-${classes}.arrow`), logits, labels);
}

describe.skipIf(!CHROMIUM)("in a browser", async () => {
  const csr = await pageOf({
    ...{ input: DIGITS, layout: "csr", threshold: 1e-4, emit: ["jacobian"] },
  });
  const heat = await pageOf({ input: drawn(100, 26), keep }, label);
  const empty = await pageOf({ input: drawn(0, 4), keep }, label);
  const others = [
    await pageOf({ input: DIGITS, layout: "factored" }),
    await pageOf({ input: DIGITS, emit: ["entropy"] }, { title: "Entropy" }),
    await pageOf({ input: drawn(100, 12), keep }, label),
    await pageOf({ input: drawn(5, 1) }),
    await pageOf({ input: drawn(5, 2), keep }, label),
  ];

  test.each([
    ["the digits, light", output, "light"],
    ["the digits, dark", output, "dark"],
    ["a heatmap of many classes", heat.output, "light"],
    ["an output without p", csr.output, "light"],
    ["no rows", empty.output, "light"],
  ] as const)("axe finds no violations: %s", async (_, path, scheme) => {
    const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
    await inBrowser(
      path,
      async (page) => {
        // Axe ignores closed details. Scripts run by the debugger, which the policy of the page does not concern.
        await page.evaluate(
          "for (const part of document.querySelectorAll('details')) part.open = true",
        );
        await page.evaluate(readFileSync(AXE, "utf8"));
        const { passes, violations } = await page.evaluate<{
          passes: unknown[];
          violations: { id: string; nodes: { html: string }[] }[];
        }>("axe.run(document, { resultTypes: ['violations'] })");
        expect(passes.length).toBeGreaterThan(20);
        expect(violations.map(({ id, nodes }) => [id, nodes[0]?.html])).toEqual(
          [],
        );
      },
      scheme,
    );
  });

  test("no page is wider than its window", async () => {
    for (const { output: path } of [{ output }, csr, heat, empty, ...others])
      await inBrowser(path, async (page) => {
        const widths = path === output ? [360, 768, 1280, 1920] : [360, 1280];
        for (const width of widths) {
          await page.setViewportSize({ width, height: 800 });
          const found = await page.evaluate(WIDTH);
          expect(found, `${path} at ${width}`).toBeLessThanOrEqual(width);
        }
      });
  });
});
