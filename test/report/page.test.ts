import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { DIGITS, softjac } from "../cli/support.js";
import { built } from "../support/built.js";
import { workDirectory } from "../support/logits-input.js";
import { hasBrowser, openPage, type Scheme } from "./browser.js";
import { type Independent, independent, readP } from "./independent.js";
import { writeLabelled } from "./labelled-input.js";
import { writeNamed } from "./named-input.js";

const at = workDirectory();
const results = at("results.arrow");
const output = at("page.html");
await built.run({
  input: DIGITS,
  output: results,
  dtype: "float64",
  keep: ["id", "label", "split"],
});
const report = await built.report({ results, output, label: "label" });
const text = readFileSync(output, "utf8");

/** Elements of the page's own, outside of what is embedded as data. */
const markup = text.replace(/<script[\s\S]*?<\/script>/g, "");

describe("the page as text", () => {
  test("needs nothing from elsewhere", () => {
    expect(markup).not.toMatch(
      /\b(?:src|href|action|poster|data)="(?!#|data:,)/,
    );
    expect(text).not.toMatch(
      /@import|url\(|<iframe|<object|<link(?! rel="icon" href="data:,")/,
    );
    expect(markup).toMatch(
      /Content-Security-Policy" content="default-src &#39;none&#39;|default-src 'none'/,
    );
    expect(text.match(/https?:\/\/[^"\s<]+/g) ?? []).toEqual(
      (text.match(/https?:\/\/[^"\s<]+/g) ?? []).filter((url) =>
        url.startsWith("http://www.w3.org/"),
      ),
    );
  });

  test("has every picture's caption, with the rows that it is from", () => {
    const captions = [
      ...markup.matchAll(/<figcaption>([\s\S]*?)<\/figcaption>/g),
    ].map(([, caption]) => caption as string);
    const figures = markup.match(/<figure/g) as string[];
    expect(figures.length).toBe(7);
    expect(captions.length).toBe(figures.length);
    for (const caption of captions)
      expect(caption.replace(/<[^>]*>/g, "")).toMatch(/1,797 rows/);
    expect(markup.match(/<svg/g)?.length).toBe(7);
    expect(markup.match(/<svg[^>]*role="img"/g)?.length).toBe(7);
  });

  test("texts of files are texts, whatever is in them", async () => {
    const evil = `<script>alert("1")</script><img src=x onerror=alert(2)>'"&`;
    const input = writeNamed(at("named.arrow"), evil, [
      evil,
      "</script><!--",
      "\u2028",
    ]);
    const named = at("named-results.arrow");
    await built.run({ input, output: named, keep: [evil, "label"] });
    await built.report({
      results: named,
      output: at("named.html"),
      title: evil,
      label: "label",
    });
    const page = readFileSync(at("named.html"), "utf8");
    expect(page).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
    expect(page).not.toMatch(/<script>alert|<img|<!--/);
    expect(page.match(/<\/script>/g)?.length).toBe(1);
    expect(page).not.toMatch("\u2028");
    if (!hasBrowser) return;
    const { page: opened, trouble, close } = await openPage(at("named.html"));
    expect(await opened.title()).toBe(evil);
    expect(await opened.locator("h1").textContent()).toBe(evil);
    const heads = opened.locator("#rows thead th");
    expect(await heads.allTextContents()).toContain(evil);
    const cells = opened.locator("#rows td");
    expect(await cells.allTextContents()).toContain(evil);
    expect(await opened.locator("img").count()).toBe(0);
    expect(trouble).toEqual([]);
    await close();
  });

  test("stays under 3 MB: many classes, and texts that take more room once they are escaped", async () => {
    const classes = 100;
    const logits = Array.from({ length: 1200 }, (_, r) =>
      Array.from({ length: classes }, (_, k) => Math.sin(r * 7 + k * k) * 4),
    );
    const input = writeLabelled(
      at("large.arrow"),
      logits,
      logits.map((_, r) => r % classes),
    );
    const large = at("large-results.arrow");
    await built.run({ input, output: large, keep: ["label"] });
    await built.report({
      results: large,
      output: at("large.html"),
      label: "label",
      classes: 100,
    });
    expect(statSync(at("large.html")).size).toBeLessThan(3e6);
    const texts = Array.from({ length: 30 }, () => "<&>".repeat(100));
    const marked = writeNamed(at("texts.arrow"), "markup", texts);
    const output = at("texts-results.arrow");
    await built.run({ input: marked, output, keep: ["markup"] });
    await built.report({ results: output, output: at("texts.html") });
    expect(statSync(at("texts.html")).size).toBeLessThan(5e5);
    // Of each text 200 characters.
    expect(readFileSync(at("texts.html"), "utf8")).toMatch(
      `${"&lt;&amp;&gt;".repeat(66)}&lt;&amp;…</td>`,
    );
  });
});

/** The numbers that the page says, by name. */
async function numbersIn(page: Page): Promise<Record<string, number>> {
  return Object.fromEntries(
    await page
      .locator("data[data-number]")
      .evaluateAll((found) =>
        found.map((one) => [
          one.getAttribute("data-number") as string,
          Number(one.getAttribute("value")),
        ]),
      ),
  );
}

const truthRows = readP(results, "label");
const truth: Independent = independent(truthRows);

describe.runIf(hasBrowser)("in a browser", () => {
  test("opens without errors or requests; its numbers are those worked out by other means", async () => {
    const { page, trouble, close } = await openPage(output);
    const found = await numbersIn(page);
    const near = (name: string, wanted: number, room = 1e-9) =>
      expect(
        Math.abs((found[name] as number) - wanted),
        name,
      ).toBeLessThanOrEqual(room * Math.abs(wanted));
    near("rows", truth.rows);
    near("classes", 10);
    near("mean-uncertainty", truth.meanUncertainty);
    near("mean-confidence", truth.meanConfidence);
    near("mean-entropy", truth.meanEntropy);
    near("lost-float32", truth.lostFloat32);
    near("lost-float64", truth.lostFloat64);
    near("accuracy", truth.accuracy);
    near("ece", truth.ece);
    near("nll", truth.nll);
    near("brier", truth.brier);
    near("confusion-rows", 1797);
    for (let k = 0; k < 10; k++) {
      near(`sensitivity-${k}`, truth.meanJacobian[k]?.[k] as number);
      near(
        `labelled-${k}`,
        truthRows.filter(({ label }) => label === k).length,
      );
    }
    expect(await page.locator("#lost-float32").count()).toBe(0);
    expect(await page.locator(".facts").first().textContent()).toMatch(
      /319 of 1,797 rows \(17.8 %\)/,
    );
    const embedded = JSON.parse(
      (await page.locator("#numbers").textContent()) as string,
    );
    expect(embedded.summary).toEqual(report.summary);
    expect(embedded.confidence).toEqual(report.confidence);
    expect(trouble).toEqual([]);
    await close();
  });

  test("the most uncertain rows", async () => {
    const { page, trouble, close } = await openPage(output);
    const { mostUncertain } = report.rows;
    const line = page.locator("#rows > .scroll tbody tr");
    expect(await line.count()).toBe(20);
    for (const n of [0, 7]) {
      const row = mostUncertain[n] as (typeof mostUncertain)[0];
      const cells = await line.nth(n).locator("th, td").allTextContents();
      expect(cells.slice(0, 3)).toEqual(
        [row.row, row.predicted, row.label].map(String),
      );
      expect(cells.slice(-3)).toEqual(row.copied);
      const likely = (cells[6] as string).split(", ").map((text) => {
        const [k, p] = text.split(": ").map(Number);
        return { class: k, p };
      });
      expect(likely).toEqual(
        row.likely
          ?.filter(({ p }) => p >= 0.001)
          .map(({ class: k, p }) => ({ class: k, p: expect.closeTo(p, 3) })),
      );
    }
    expect(trouble).toEqual([]);
    await close();
  });

  test.each(["light", "dark"] as const)(
    "axe finds nothing, in %s",
    async (scheme) => {
      // One with all there can be, one of many classes, one that reasons most, one without rows.
      const some = [4, 1, 7].map((n) => otherPages[n] as string);
      for (const path of [output, ...(scheme === "light" ? some : [])])
        await expectAccessible(path, scheme);
    },
  );

  test("pages of all kinds: no trouble, and nothing is wider than its window, on a telephone or a desk", async () => {
    for (const path of [output, ...otherPages]) {
      const { page, trouble, close } = await openPage(path);
      expect(trouble).toEqual([]);
      const others = path === output ? [768, 1920] : [];
      for (const width of [360, 1280, ...others]) {
        await page.setViewportSize({ width, height: 800 });
        const found = await page.evaluate(
          "document.documentElement.scrollWidth",
        );
        expect(found, `${path} at ${width}`).toBeLessThanOrEqual(width);
      }
      await close();
    }
  });
});

/** Logits that are drawn. */
function drawn(rows: number, classes: number): string {
  const path = at(`drawn-${rows}-${classes}.arrow`);
  const sizes = ["--rows", String(rows), "--classes", String(classes)];
  expect(softjac("generate", path, ...sizes).status).toBe(0);
  return path;
}

/** Pages of outputs of other kinds. */
const otherPages = [
  [DIGITS, ["--layout", "factored"], []],
  [
    DIGITS,
    ["--layout", "csr", "--threshold", "1e-4", "--emit", "jacobian"],
    [],
  ],
  [DIGITS, ["--emit", "entropy"], ["--title", "Entropy, and little else"]],
  [
    drawn(100, 40),
    ["--keep", "label"],
    ["--label", "label", "--classes", "40"],
  ],
  [drawn(100, 12), ["--keep", "label"], ["--label", "label"]],
  [drawn(5, 1), [], []],
  [drawn(5, 2), ["--keep", "label"], ["--label", "label"]],
  [drawn(0, 4), ["--keep", "label"], ["--label", "label"]],
].map(([input, run, options], n) => {
  const [arrow, page] = [at(`${n}.arrow`), at(`${n}.html`)];
  const made = softjac(
    "run",
    input as string,
    "-o",
    arrow,
    ...(run as string[]),
  );
  expect(made.status, made.stderr).toBe(0);
  const shown = softjac("report", arrow, "-o", page, ...(options as string[]));
  expect(shown.status, shown.stderr).toBe(0);
  return page;
});

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

async function expectAccessible(path: string, scheme: Scheme): Promise<void> {
  const { page, close } = await openPage(path, scheme);
  // What is closed is not checked. The page's policy allows no script: axe comes by the debugger.
  await page.evaluate(
    "for (const part of document.querySelectorAll('details')) part.open = true",
  );
  await page.evaluate(readFileSync(AXE, "utf8"));
  const found = (await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'] })",
  )) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
    passes: unknown[];
  };
  expect(found.passes.length).toBeGreaterThan(20);
  expect(
    found.violations.map(
      ({ id, impact, nodes }) => `${impact}: ${id}: ${nodes[0]?.html}`,
    ),
  ).toEqual([]);
  await close();
}
