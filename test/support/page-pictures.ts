/** The pictures of docs/pages.md, made anew with MORAINE_SCREENSHOTS=1. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { createApiKey } from '../../service/index.js';
import { DESK, PHONE, visit } from './page-visitor.js';
import { openPagesWorld, type PagesWorld } from './pages-world.js';
import { projectRoot } from './paths.js';

export async function takePictures(browser: Browser): Promise<void> {
  if (process.env['MORAINE_SCREENSHOTS'] !== '1') return;
  const world = await openPagesWorld({ forPictures: true });
  try {
    const { url } = await world.serve();
    const { stats } = world.names;
    const keep = (page: Page, name: string) =>
      page.screenshot({ path: join(projectRoot, `docs/images/pages-${name}.png`), fullPage: true });
    const light = await visit(browser, { viewport: DESK });
    await light.page.goto(url);
    await keep(light.page, 'views');
    const dark = await visit(browser, { viewport: DESK, colorScheme: 'dark' });
    await dark.page.goto(`${url}/ui/entity?view=${stats}`);
    await dark.page.getByLabel('driver_id').fill('1001');
    await dark.page.getByRole('button', { name: 'Look up' }).click();
    await dark.page.getByRole('heading', { name: 'Values' }).waitFor();
    await keep(dark.page, 'entity');
    const phone = await visit(browser, { viewport: PHONE });
    await phone.page.goto(`${url}/ui/views/${stats}`);
    await keep(phone.page, 'phone');
    await keepOthers(browser, world, url, keep);
  } finally {
    await world.close();
  }
}

/** Health of tables, runs, errors of requests, and the page that asks for a key. */
async function keepOthers(
  browser: Browser,
  world: PagesWorld,
  url: string,
  keep: (page: Page, name: string) => Promise<unknown>,
): Promise<void> {
  const { folder, names } = world;
  const question = { entities: { driver_id: [1001] } };
  for (const features of [[`${names.stats}:speed`], [`${names.unread}:city`], ['driver_trips:count']])
    await fetch(`${url}/get-online-features`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...question, features }),
    });
  const { page } = await visit(browser, { viewport: DESK });
  for (const [path, name] of [
    ['/ui/tables', 'tables'],
    [`/ui/tables/moraine_online.${names.stats}`, 'health'],
    [`/ui/runs`, 'runs'],
    ['/ui/errors', 'errors'],
  ] as const) {
    await page.goto(`${url}${path}`);
    await keep(page, name);
  }
  const keys = join(folder, 'api-keys.json');
  await createApiKey(keys, 'reader', ['read']);
  await page.goto(`${(await world.serve({ server: { keys } })).url}/ui/`);
  await keep(page, 'login');
}
