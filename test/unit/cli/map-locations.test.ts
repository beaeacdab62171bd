/** `moraine project map-locations` and the file that it writes. */
import { chmodSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mapLocations } from '../../../cli/actions/map-locations.js';
import type { CommandContext } from '../../../cli/context.js';
import { failureOf } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

function contextOf(config: string): CommandContext {
  return { globals: { config }, stdout: { write: () => Promise.resolve() } } as unknown as CommandContext;
}

test('a configuration behind a link is written where it is, and keeps its rights', async () => {
  const folder = temporaryFolder();
  const file = join(folder, 'shared.yaml');
  const link = join(folder, 'moraine.yaml');
  writeFileSync(file, '# ours\ncatalogs: { local: {} }\n');
  chmodSync(file, 0o640);
  symlinkSync('shared.yaml', link);
  await mapLocations(contextOf(link), [], { from: '/home/ann/warehouse', to: join(folder, 'warehouse') });
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(file, 'utf8')).toBe(
    '# ours\ncatalogs: { local: {} }\nstorage:\n  locations:\n    /home/ann/warehouse: warehouse\n',
  );
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

test('one that cannot be written is an error that names it', async () => {
  // There is room for its name, and none for that of a file beside it.
  const file = join(temporaryFolder(), `${'m'.repeat(230)}.yaml`);
  writeFileSync(file, '');
  const options = { from: '/home/ann/warehouse', to: '/tmp/warehouse' };
  const error = await failureOf(Promise.resolve(mapLocations(contextOf(file), [], options)));
  const message = expect.stringContaining(`${file} cannot be written: ENAMETOOLONG`) as string;
  expect([error.code, error.message]).toEqual(['STORAGE_UNAVAILABLE', message]);
  expect(readFileSync(file, 'utf8')).toBe('');
});
