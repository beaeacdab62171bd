/** Places in which no folder can be made: every path that a user may set ends there at once, with a code. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { moraine, moraineOk } from '../support/cli.js';
import { lastingFolder } from '../support/temp-folder.js';

/** The kernel ends a command that turns in a loop. */
const limits = ['--cpu=15:15'];
/** Below `/proc` the kernel says that a folder does not exist which does, and Node's recursive mkdir tries for ever. */
const NOWHERE = '/proc/no/such';
const TABLE = 'shop.customer_orders';
const folder = lastingFolder();
const cwd = folder.path;

afterAll(() => folder.remove());

beforeAll(async () => {
  await moraineOk(['init', '.'], { cwd });
  await moraineOk(['table', 'append', TABLE, 'data/customer_orders.csv', '--create'], { cwd });
}, 60_000);

/** A configuration of the same project in which one setting is another. */
function configWith(name: string, setting: string, value: string): string {
  const config = readFileSync(join(cwd, 'moraine.yaml'), 'utf8');
  const changed = config.replace(new RegExp(`^( *${setting}:).*$`, 'm'), `$1 ${value}`);
  expect(changed).toContain(`${setting}: ${value}\n`);
  writeFileSync(join(cwd, name), changed);
  return name;
}

describe.concurrent('a command ends at once', { timeout: 60_000 }, () => {
  test.each([
    ['uri', `${NOWHERE}/catalog.db`, "ENOENT: no such file or directory, mkdir '/proc/no'. [CATALOG_UNAVAILABLE]"],
    ['warehouse', '/proc/self/x', '"/proc/self/x": its file system makes no folders there. [STORAGE_UNAVAILABLE]'],
  ])('that opens the project with %s: %s', async (setting, value, message) => {
    const config = configWith(`${setting}.yaml`, setting, value);
    const operands = ['shop.others', 'data/customer_orders.csv', '--create'];
    const result = await moraine(['table', 'append', ...operands, '--config', config], { cwd, limits });
    expect(result).toMatchObject({ signal: null, code: 8, stdout: '' });
    expect(result.stderr).toContain(message);
  });

  test.each([
    [['init', NOWHERE], /cannot write the project to \/proc\/no\/such: .* mkdir '\/proc\/no' \[STORAGE_UNAVAILABLE\]/],
    [
      ['table', 'scan', TABLE, '--out', `${NOWHERE}/x.csv`],
      /cannot write \/proc\/no\/such\/x\.csv .* \[STORAGE_UNAVAILABLE\]/,
    ],
  ])('that writes below it: %j', async (args, message) => {
    const result = await moraine(args, { cwd, limits });
    expect(result).toMatchObject({ signal: null, code: 8, stdout: '' });
    expect(result.stderr).toMatch(message);
  });
});
