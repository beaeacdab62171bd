/** Somebody who looks at the pages of the service with Chromium. */
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { onTestFinished } from 'vitest';

export const DESK = { width: 1100, height: 760 };
export const PHONE = { width: 390, height: 760 };

export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What the browser complained of: scripts, styles, the content security policy. */
  readonly complaints: string[];
  /** Addresses that were asked for. */
  readonly requests: string[];
}

/** A browser without a history, until the test has finished. */
export async function visit(browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: DESK, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => void complaints.push(error.message));
  page.on('request', (request) => void requests.push(request.url()));
  return { context, page, complaints, requests };
}

export const textOf = (page: Page): Promise<string> => page.locator('main').innerText();

/** A row of the page's tables by its heading, as the texts of its cells. */
export async function rowOf(page: Page, heading: string): Promise<readonly string[]> {
  const row = page.locator('tr', { has: page.locator('th[scope=row]', { hasText: heading }) }).first();
  return (await row.locator('th, td').allInnerTexts()).map((text) => text.trim());
}

export interface Focus {
  readonly text: string;
  readonly outline: string;
}

/** What has the focus, and how that is shown. */
export const focusOf = (page: Page): Promise<Focus> =>
  page.evaluate<Focus>(`(() => {
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    return { text: document.activeElement.textContent, outline: outlineStyle + ' ' + outlineWidth };
  })()`);

/** What machines and people with other senses need; `overflow` in pixels of the window. */
export interface PageFacts {
  readonly overflow: number;
  readonly headings: number;
  readonly language: string;
  readonly unlabelled: number;
  readonly uncaptioned: number;
  readonly unscoped: number;
  readonly background: string;
}

export const factsOf = (page: Page): Promise<PageFacts> =>
  page.evaluate<PageFacts>(`(() => {
    const count = (selector) => document.querySelectorAll(selector).length;
    const fields = [...document.querySelectorAll('input:not([type=hidden]), select')];
    return {
      overflow: Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
      headings: count('h1'),
      language: document.documentElement.lang,
      unlabelled: fields.filter((field) => field.labels.length !== 1).length,
      uncaptioned: count('table:not(:has(caption))'),
      unscoped: count('th:not([scope])'),
      background: getComputedStyle(document.body).backgroundColor,
    };
  })()`);

/** Keeps a picture of the whole page in a folder that MORAINE_SCREENSHOTS_OF_PAGES names; otherwise nothing. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env['MORAINE_SCREENSHOTS_OF_PAGES'];
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
