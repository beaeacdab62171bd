/** The pictures of docs/pages.md, made anew with MORAINE_SCREENSHOTS=1. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { DESK, PHONE, visit } from './page-visitor.js';
import { openPagesWorld } from './pages-world.js';
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
  } finally {
    await world.close();
  }
}
