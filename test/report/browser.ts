import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll } from "vitest";

/** Debian's, the one without windows first, since it takes half of the processor. Another may be named. */
const PATH =
  process.env.CHROMIUM ??
  ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find(existsSync) ??
  "";

/** Where there is none, tests say what they leave out. */
export const hasBrowser = existsSync(PATH);

export type Scheme = "light" | "dark";

export interface OpenedPage {
  page: Page;
  /** What the console said, what was thrown, and what was asked of anywhere but the file itself. */
  trouble: string[];
  close(): Promise<void>;
}

let browser: Promise<Browser> | null = null;
afterAll(async () => (await browser)?.close());

/** Opens a file in a browser that may use no network. */
export async function openPage(
  path: string,
  colorScheme: Scheme = "light",
): Promise<OpenedPage> {
  browser ??= chromium.launch({
    executablePath: PATH,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const context = await (await browser).newContext({
    colorScheme,
    offline: true,
    viewport: { width: 1280, height: 900 },
  });
  const page = await context.newPage();
  const trouble: string[] = [];
  page.on("console", (message) => trouble.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => trouble.push(`error: ${error.message}`));
  const own = `file://${path}`;
  page.on("request", (request) => {
    const url = request.url();
    if (url !== own && !url.startsWith("data:"))
      trouble.push(`request: ${url}`);
  });
  await page.goto(own);
  return { page, trouble, close: () => context.close() };
}
