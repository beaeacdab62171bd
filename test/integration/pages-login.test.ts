/** The pages of `moraine serve` behind API keys, in Chromium. */
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createApiKey, deleteApiKey, type Service } from '../../service/index.js';
import { launchChromium } from '../support/chromium.js';
import { keepPicture, textOf, visit } from '../support/page-visitor.js';
import { openPagesWorld, type PagesWorld } from '../support/pages-world.js';

let world: PagesWorld;
let service: Service;
let browser: Browser;
let file: string;
beforeAll(async () => {
  [world, browser] = await Promise.all([openPagesWorld(), launchChromium()]);
  file = join(world.folder, 'keys.json');
  await createApiKey(file, 'first', ['read']);
  service = await world.serve({ server: { keys: file } });
}, 120_000);
afterAll(async () => {
  await browser.close();
  await world.close();
});

/** A key that the running service knows. */
async function newKey(name: string, scope: 'read' | 'write' | 'admin'): Promise<string> {
  const key = await createApiKey(file, name, [scope]);
  const headers = { authorization: `Bearer ${key}` };
  const known = async (): Promise<number> => (await fetch(`${service.url}/metrics`, { headers })).status;
  await expect.poll(known, { timeout: 10_000 }).toBe(scope === 'write' ? 403 : 200);
  return key;
}

const COOKIE = 'moraine_session';
const sessionOf = (token: string | undefined) =>
  fetch(`${service.url}/ui/`, { headers: { cookie: `${COOKIE}=${token}` }, redirect: 'manual' });

test('every page but the API reference asks for a key, and comes back to where it was', async () => {
  const { page, context, complaints } = await visit(browser);
  const { stats } = world.names;
  for (const path of ['/ui/', `/ui/views/${stats}`, '/ui/entity', '/ui/tables', '/ui/runs', '/ui/errors']) {
    await page.goto(`${service.url}${path}`);
    expect(page.url()).toBe(`${service.url}/ui/login?next=${encodeURIComponent(path)}`);
  }
  const entity = await fetch(`${service.url}/ui/entity?view=${stats}`, { method: 'POST', redirect: 'manual' });
  expect(entity.status).toBe(303);
  await page.goto(`${service.url}/docs`);
  expect(await textOf(page)).toContain('POST /get-online-features');

  const key = await newKey('ops', 'admin');
  await page.goto(`${service.url}/ui/views/${stats}`);
  await keepPicture(page, 'login');
  await page.getByLabel('API key').fill(key);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: stats }).waitFor();
  expect(page.url()).toBe(`${service.url}/ui/views/${stats}`);
  expect(await page.getByRole('banner').innerText()).toContain('Key ops');

  const [cookie] = await context.cookies();
  expect(cookie).toMatchObject({ name: COOKIE, httpOnly: true, sameSite: 'Strict', secure: false });
  expect(key).not.toContain(cookie?.value);
  await keepPicture(page, 'signed-in');
  expect((await sessionOf(cookie?.value)).status).toBe(200);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('API key').waitFor();
  expect(await context.cookies()).toEqual([]);
  expect((await sessionOf(cookie?.value)).status).toBe(303);
  expect(complaints).toEqual([]);
});

test('a session ends when its key is deleted', async () => {
  const { page, context } = await visit(browser);
  const key = await newKey('short', 'read');
  await page.goto(`${service.url}/ui/`);
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: 'Views' }).waitFor();
  await deleteApiKey(file, key.slice(8, 16));
  const [cookie] = await context.cookies();
  await expect.poll(async () => (await sessionOf(cookie?.value)).status, { timeout: 10_000 }).toBe(303);
});

test('keys that are unknown or may not read are refused, and nobody is led elsewhere', async () => {
  const { page, context } = await visit(browser);
  await page.goto(`${service.url}/ui/login?next=https://evil.example/`);
  const enter = async (key: string): Promise<void> => {
    await page.getByLabel('API key').fill(key);
    await page.getByRole('button', { name: 'Sign in' }).click();
  };
  await enter('moraine_00000000_x');
  expect(await page.getByRole('alert').innerText()).toBe('This API key is not known.');
  await enter(await newKey('ingest', 'write'));
  expect(await page.getByRole('alert').innerText()).toBe("The API key 'ingest' does not have the scope 'read'.");
  expect(await context.cookies()).toEqual([]);
  await enter(await newKey('reader', 'read'));
  await page.getByRole('heading', { level: 1, name: 'Views' }).waitFor();
  expect(page.url()).toBe(`${service.url}/ui/`);
});

test('a form from another site is refused, and a cookie is Secure behind TLS', async () => {
  const body = new URLSearchParams({ key: await newKey('again', 'read') });
  const login = (headers: Readonly<Record<string, string>>) =>
    fetch(`${service.url}/ui/login`, { method: 'POST', body, headers, redirect: 'manual' });
  expect((await login({ origin: 'https://evil.example' })).status).toBe(403);
  expect((await login({ 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  const { status, headers } = await login({ 'sec-fetch-site': 'same-origin', 'x-forwarded-proto': 'https' });
  expect([status, headers.get('location')]).toEqual([303, '/ui/']);
  expect(headers.get('set-cookie')).toMatch(
    /^moraine_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/,
  );
});
