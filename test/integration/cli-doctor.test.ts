/** `moraine doctor` on projects that are well and that are not. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { startCarelessStore } from '../support/careless-store.js';
import { moraine } from '../support/cli.js';
import { startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

// Each command is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

interface Check {
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  readonly detail: string;
  readonly remedy?: string;
}

async function doctor(config: string, env: Readonly<Record<string, string>> = {}, ...args: string[]) {
  const folder = temporaryFolder();
  if (config !== '') writeFileSync(join(folder, 'moraine.yaml'), config);
  const result = await moraine(['doctor', '--json', ...args], { cwd: folder, env });
  const { checks } = JSON.parse(result.stdout) as { checks: Check[] };
  return { ...result, folder, checks: new Map(checks.map((check) => [check.name, check])) };
}

/** A server that nobody runs. */
const TEMPORAL = 'temporal: { address: 127.0.0.1:1, namespace: default }\n';

describe('doctor', () => {
  it('finds nothing wrong with a new project, and changes nothing', async () => {
    const folder = temporaryFolder();
    await moraine(['init', 'shop'], { cwd: folder });
    const { code, stdout, stderr } = await moraine(['doctor', '--json'], { cwd: join(folder, 'shop') });
    const { checks } = JSON.parse(stdout) as { checks: Check[] };
    expect([code, stderr]).toEqual([0, '']);
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(checks.map(({ name }) => name)).toEqual([
      'Node.js',
      'Python',
      'configuration',
      'catalog local',
      `storage ${join(folder, 'shop/warehouse')}`,
      'locations',
      'DuckDB',
      'Temporal',
    ]);
    expect(checks.every(({ status, remedy }) => status === 'ok' || remedy !== undefined)).toBe(true);
  });

  it('warns of a missing project, which `--config` makes a failure', async () => {
    const without = await doctor('');
    expect(without.code).toBe(0);
    expect(without.checks.get('configuration')).toMatchObject({ status: 'warn' });
    const named = await doctor('', {}, '--config', 'nope.yaml');
    expect(named.code).toBe(2);
    expect(named.checks.get('configuration')).toMatchObject({ status: 'fail' });
    expect(JSON.parse(named.stderr)).toMatchObject({ error: { code: 'CONFIG_NOT_FOUND' } });
  });

  it('tells stores that keep what is there from those that replace it', async () => {
    const store = await startS3Server();
    onTestFinished(() => store.close());
    await store.makeBucket('lake');
    const configOf = (endpoint: string) =>
      `${TEMPORAL}catalogs: { lake: { uri: lake.db, warehouse: s3://lake/w } }\nstorage: { options: { s3.endpoint: "${endpoint}", s3.access-key-id: a, s3.secret-access-key: "\${LAKE_SECRET}" } }\n`;
    const env = { LAKE_SECRET: 'canary-secret' };
    const careful = await doctor(configOf(store.endpoint), env);
    expect(careful.checks.get('storage s3://lake/w')).toMatchObject({ status: 'ok', detail: 'writable' });
    // Some have the condition of a write in one request only.
    const inParts = ({ method }: { readonly method?: string | undefined }) => method === 'POST';
    const careless = await doctor(configOf(await startCarelessStore(store.endpoint)), env);
    const halfCareless = await doctor(configOf(await startCarelessStore(store.endpoint, inParts)), env);
    for (const { code, checks } of [careless, halfCareless]) {
      expect(code).toBe(careful.code);
      expect(checks.get('storage s3://lake/w')).toEqual({
        name: 'storage s3://lake/w',
        status: 'warn',
        detail: 'writable, without conditional writes',
        remedy:
          'The store of "s3://lake/w" ignores the condition of writes (If-None-Match): a new file replaces one of its name. Turn conditional writes on there, or use a store that has them. Until then `moraine table move` to it is refused; everything else works.',
      });
    }
    const { Contents } = await store.client.send(new ListObjectsV2Command({ Bucket: 'lake' }));
    expect(Contents).toBeUndefined();
    expect(careless.stdout + careless.stderr).not.toContain('canary-secret');
  });

  it('shows the line of a key that is unknown', async () => {
    const { code, checks, stderr } = await doctor(
      'catalogs:\n  local: { uri: catalog.db, warehouse: w }\nstorrage: {}\n',
    );
    expect(code).toBe(2);
    expect(checks.get('configuration')).toMatchObject({ status: 'fail' });
    expect(checks.get('configuration')?.detail).toMatch(
      /moraine\.yaml:3: unknown key storrage; did you mean storage\?$/,
    );
    const message = '1 of 3 checks failed: configuration';
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'CONFIG_INVALID', message } });
  });

  it('names each part that does not work, with a remedy, and looks at the others all the same', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'catalog.db'), 'no database');
    mkdirSync(join(folder, 'good'));
    writeFileSync(join(folder, 'file'), '');
    writeFileSync(
      join(folder, 'moraine.yaml'),
      `catalogs:\n  local: { uri: catalog.db, warehouse: good }\nstorage: { roots: [good, file/inside] }\n${TEMPORAL}`,
    );
    const { code, stdout, stderr } = await moraine(['doctor', '--json'], { cwd: folder });
    const { checks } = JSON.parse(stdout) as { checks: Check[] };
    const found = new Map(checks.map((check) => [check.name, check]));
    const failed = checks.filter(({ status }) => status === 'fail').map(({ name }) => name);
    expect(failed).toEqual(['catalog local', `storage ${join(folder, 'file/inside')}`, 'Temporal']);
    expect(found.get(`storage ${join(folder, 'good')}`)).toMatchObject({ status: 'ok' });
    expect(found.get('DuckDB')).toMatchObject({ status: 'ok' });
    expect(found.get('catalog local')?.detail).toContain(join(folder, 'catalog.db'));
    expect(failed.map((name) => typeof found.get(name)?.remedy)).toEqual(['string', 'string', 'string']);
    expect(stderr).toContain(`3 of ${checks.length} checks failed: catalog local, storage `);
    // The first failure decides the exit code: a catalog that does not answer.
    expect(code).toBe(8);
    const text = await moraine(['doctor'], { cwd: folder });
    expect(text.stdout).toMatch(/^fail {2}catalog local: /m);
    expect(text.stdout).toMatch(/^ok {4}DuckDB: /m);
    expect(text.code).toBe(8);
  });
});
