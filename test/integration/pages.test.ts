/** The pages of `moraine serve` in Chromium. With MORAINE_SCREENSHOTS=1 the pictures of docs/pages.md are made anew. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Service } from '../../service/index.js';
import { launchChromium } from '../support/chromium.js';
import { takePictures } from '../support/page-pictures.js';
import { DESK, factsOf, focusOf, keepPicture, PHONE, rowOf, textOf, visit } from '../support/page-visitor.js';
import { HOSTILE, openPagesWorld, type PagesWorld } from '../support/pages-world.js';

let world: PagesWorld;
let service: Service;
let browser: Browser;
const log: string[] = [];

beforeAll(async () => {
  [world, browser] = await Promise.all([openPagesWorld(), launchChromium()]);
  service = await world.serve({}, log);
}, 120_000);
afterAll(async () => {
  await browser.close();
  await world.close();
});

describe('the pages', () => {
  test('show the views with their state, and lead to one', async () => {
    const { page } = await visit(browser);
    const { stats, city, unread, offline } = world.names;
    await page.goto(service.url);
    expect(page.url()).toBe(`${service.url}/ui/`);
    const [, entities, features, state, committed, rows] = await rowOf(page, stats);
    expect([entities, features, state, rows]).toEqual(['driver', '3', 'served', '3']);
    expect(committed).toMatch(/^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\s/);
    expect((await rowOf(page, city))[3]).toBe('served');
    expect((await rowOf(page, unread)).slice(3)).toEqual(['not materialized', '–', '–']);
    expect((await rowOf(page, offline))[3]).toBe('not online');
    expect((await rowOf(page, 'ranking'))[1]).toBe(`${stats}, ${city}`);

    await page.getByRole('link', { name: stats }).first().click();
    await page.getByRole('heading', { level: 1, name: stats }).waitFor();
    const facts = await textOf(page);
    for (const fact of [
      'Conversion rate and trips of each driver, by hour.',
      'driver (driver_id)',
      'read up to its current snapshot',
      `moraine_online.${stats}`,
      'rides.driver_stats',
      'team=marketplace',
    ])
      expect(facts).toContain(fact);
    expect(await rowOf(page, 'trips_today')).toEqual(['trips_today', 'long']);
  });

  test('say of a view that was not materialized what to do', async () => {
    const { page } = await visit(browser);
    await page.goto(`${service.url}/ui/views/${world.names.unread}`);
    expect(await textOf(page)).toContain(`run moraine materialize ${world.names.unread}`);
  });

  test('show the current values of an entity, found by keyboard alone', async () => {
    const { page } = await visit(browser);
    await page.goto(`${service.url}/ui/`);
    await page.keyboard.press('Tab');
    expect((await focusOf(page)).text).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect((await focusOf(page)).text).toContain('Features that this service answers with.');
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press('Tab');
      const { text, outline } = await focusOf(page);
      expect(outline).toBe('solid 3px');
      if (text === 'Look up') break;
    }
    await page.keyboard.press('Enter');
    await page.waitForURL(/entity/);
    await page.getByLabel('driver_id').focus();
    await page.keyboard.type('1001');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Values' }).waitFor();
    // The key stays out of the address.
    expect(page.url()).not.toContain('1001');
    const { stats, city } = world.names;
    expect((await rowOf(page, `${stats}__trips_today`)).slice(0, 3)).toEqual([
      `${stats}__trips_today`,
      '9007199254740993',
      'PRESENT',
    ]);
    expect((await rowOf(page, `${city}__city`)).slice(1, 3)).toEqual(['–', 'OUTSIDE_MAX_AGE']);
    expect(await textOf(page)).toContain("The newest row is older than the view's ttl");
  });

  test('answer a wrong key where the form is', async () => {
    const { page } = await visit(browser);
    await page.goto(`${service.url}/ui/entity?view=${world.names.stats}`);
    await page.getByLabel('driver_id').fill('anna');
    await page.getByRole('button', { name: 'Look up' }).click();
    expect(await page.getByRole('alert').innerText()).toContain("The value 'anna' of the join key 'driver_id' is not");
    expect(await page.getByLabel('driver_id').inputValue()).toBe('anna');
    await page.goto(`${service.url}/ui/entity?view=${world.names.unread}`);
    expect(await page.getByRole('alert').innerText()).toContain(`moraine materialize ${world.names.unread}`);
  });

  test('write descriptions and values as text', async () => {
    const { page, complaints } = await visit(browser);
    const { stats, city } = world.names;
    await page.goto(`${service.url}/ui/`);
    expect((await rowOf(page, city))[0]).toContain(HOSTILE.description);
    await page.goto(`${service.url}/ui/views/${city}`);
    expect(await textOf(page)).toContain(HOSTILE.description);
    await page.goto(`${service.url}/ui/entity?of=view:${stats}`);
    await page.getByLabel('driver_id').fill('1002');
    await page.getByRole('button', { name: 'Look up' }).click();
    expect((await rowOf(page, 'note'))[1]).toBe(HOSTILE.value);
    await page.goto(`${service.url}/ui/views/${encodeURIComponent('"><script>x</script>')}`);
    expect(await textOf(page)).toContain('"><script>x</script>');
    expect(await page.locator('script, img').count()).toBe(0);
    expect(await page.title()).toBe('Not found · Moraine');
    expect(complaints.filter((text) => !text.includes('404'))).toEqual([]);
  });

  test('list the runs with links to the web UI of Temporal', async () => {
    const { page } = await visit(browser);
    const { stats } = world.names;
    await page.goto(`${service.url}/ui/runs?view=${stats}`);
    const [workflow, run, status, of] = await rowOf(page, 'materializeRun');
    expect([workflow, status, of]).toEqual(['materializeRun', 'completed', stats]);
    expect(run).toContain(`materialize/${stats}/`);
    const link = await page.getByRole('link', { name: `materialize/${stats}/` }).getAttribute('href');
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:1\/namespaces\/default\/workflows\/materialize%2F/);
  });

  test('say so where Temporal does not answer', async () => {
    const { url } = await world.serve({ temporal: { address: '127.0.0.1:1' } });
    const { page } = await visit(browser);
    const answer = await page.goto(`${url}/ui/runs`);
    expect(answer?.status()).toBe(200);
    expect(await textOf(page)).toContain('Features are served all the same.');
  });

  test('show the health of sources and online tables, and of no other table', async () => {
    const { page } = await visit(browser);
    const { stats } = world.names;
    await page.goto(`${service.url}/ui/tables`);
    expect((await rowOf(page, 'rides.driver_stats')).slice(2, 4)).toEqual(['3', '1']);
    await page.getByRole('link', { name: `moraine_online.${stats}` }).click();
    await page.getByRole('heading', { name: 'Health' }).waitFor();
    expect((await rowOf(page, 'Rows'))[1]).toBe('3');
    expect((await rowOf(page, 'Snapshots'))[1]).toBe('1');
    const other = await page.goto(`${service.url}/ui/tables/moraine.registry`);
    expect(other?.status()).toBe(404);
    expect(await textOf(page)).toContain("No feature view has a table 'moraine.registry'.");
  });

  test('list what was refused, without what was sent', async () => {
    const body = JSON.stringify({
      entities: { driver_id: ['secret-entity'] },
      features: [`${world.names.stats}:city`],
    });
    const headers = { 'content-type': 'application/json' };
    const post = (text: string) => fetch(`${service.url}/get-online-features`, { method: 'POST', headers, body: text });
    expect((await post(body)).status).toBe(404);
    expect((await post(body.replace(':city', ':trips_today'))).status).toBe(400);
    expect((await post('{"entities": {"secret-entity": NaN')).status).toBe(400);
    const { page } = await visit(browser);
    await page.goto(`${service.url}/ui/errors`);
    const text = await textOf(page);
    expect(text).toContain('POST /get-online-features');
    expect(text).toContain('TYPE_MISMATCH');
    expect(text).toContain(`Feature view '${world.names.stats}' has no materialized feature 'city'.`);
    expect(text).not.toContain('secret-entity');
    expect(log.join('')).toContain('TYPE_MISMATCH');
    expect(log.join('')).not.toContain('secret-entity');
  });

  test('hold the API reference, which needs nothing from elsewhere', async () => {
    const { page, requests } = await visit(browser);
    await page.goto(`${service.url}/docs`);
    const { paths } = (await (await fetch(`${service.url}/openapi.json`)).json()) as { paths: object };
    for (const path of Object.keys(paths)) expect(await textOf(page)).toContain(path);
    expect(await textOf(page)).toContain('Needs an API key with the scope admin where keys are on.');
    expect(await rowOf(page, 'results[].statuses')).toEqual([
      'results[].statuses',
      'array of string',
      'Of each: one of PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE. Always there.',
    ]);
    expect(requests.filter((url) => !url.startsWith(service.url))).toEqual([]);
  });

  test('have a policy by which the browser runs no script, loads nothing from elsewhere, and shows them in no frame', async () => {
    const { stats } = world.names;
    const paths = [
      ...['/ui/', `/ui/views/${stats}`, `/ui/entity?view=${stats}`, '/ui/tables', `/ui/tables/moraine_online.${stats}`],
      ...['/ui/runs', '/ui/errors', '/docs', '/ui/views/none', '/nothing'],
    ];
    for (const path of paths) {
      const { headers } = await fetch(`${service.url}${path}`, { headers: { accept: 'text/html' } });
      expect([path, headers.get('content-security-policy'), headers.get('x-frame-options')]).toEqual([
        path,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        'DENY',
      ]);
    }
    const { page } = await visit(browser);
    await page.goto(`${service.url}/ui/`);
    const refused = await page.evaluate<readonly string[]>(`new Promise((resolve) => {
      const directives = new Set();
      document.addEventListener('securitypolicyviolation', ({ effectiveDirective }) => {
        directives.add(effectiveDirective);
        if (directives.size === 4) resolve([...directives].sort());
      });
      setTimeout(() => resolve([...directives].sort()), 10_000);
      const add = (name, set) => document.body.append(Object.assign(document.createElement(name), set));
      add('script', { textContent: 'document.title = "taken over"' });
      add('img', { src: 'http://127.0.0.1:1/image.png' });
      add('iframe', { src: '/ui/' });
      fetch('/health').catch(() => undefined);
    })`);
    expect(refused).toEqual(['connect-src', 'frame-src', 'img-src', 'script-src-elem']);
    expect(await page.title()).toBe('Views · Moraine');
  });

  test('are for browsers; programs get JSON', async () => {
    const asBrowser = { headers: { accept: 'text/html,*/*;q=0.8' } };
    for (const [path, method, status] of [
      ['/nothing', 'GET', 404],
      ['/ui/nothing', 'GET', 404],
      ['/get-online-features', 'GET', 405],
      ['/ui/views/x', 'DELETE', 405],
    ] as const) {
      const page = await fetch(`${service.url}${path}`, { method, ...asBrowser });
      const json = await fetch(`${service.url}${path}`, { method });
      expect([path, page.status, page.headers.get('content-type')]).toEqual([path, status, 'text/html; charset=utf-8']);
      expect([path, json.status, json.headers.get('content-type')]).toEqual([
        path,
        status,
        'application/json; charset=utf-8',
      ]);
      expect(page.headers.get('allow')).toBe(json.headers.get('allow'));
      if (status === 405) expect(json.headers.get('allow')).toMatch(/POST|GET, HEAD/);
    }
  });

  test.each(['light', 'dark'] as const)('fit desks and phones, and are readable by machines (%s)', async (scheme) => {
    const { page, complaints } = await visit(browser, { colorScheme: scheme });
    const { stats, unread } = world.names;
    const paths = [
      ...['/ui/', `/ui/views/${stats}`, `/ui/views/${unread}`, `/ui/entity?view=${stats}`, '/ui/tables'],
      ...[`/ui/tables/moraine_online.${stats}`, '/ui/runs', '/ui/errors', '/docs'],
    ];
    for (const path of paths) {
      const answer = await page.goto(`${service.url}${path}`);
      expect([path, answer?.status()]).toEqual([path, 200]);
      for (const viewport of [DESK, PHONE]) {
        await page.setViewportSize(viewport);
        const background = scheme === 'dark' ? 'rgb(18, 25, 29)' : 'rgb(251, 252, 252)';
        const fine = {
          overflow: 0,
          headings: 1,
          language: 'en',
          unlabelled: 0,
          uncaptioned: 0,
          unscoped: 0,
          background,
        };
        expect({ path, ...(await factsOf(page)) }).toEqual({ path, ...fine });
        await keepPicture(page, `${scheme}${viewport === PHONE ? '-phone' : ''}${path.replaceAll(/[/?=]+/g, '-')}`);
      }
    }
    expect(complaints).toEqual([]);
    if (scheme === 'light') await takePictures(browser);
  });
});
