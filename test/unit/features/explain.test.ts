/** The explanation of a retrieval before it is done. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { explainHistoricalFeatures, type HistoricalRequest } from '../../../features/index.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.t', { k: 'long', at: 'timestamptz', created: 'timestamptz', x: 'double' });
  const rows = (values: string) =>
    lab.append(
      'demo.t',
      `SELECT k, TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_hours(h), CASE WHEN c IS NOT NULL THEN TIMESTAMPTZ '2001-02-01 00:00:00Z' + to_hours(c) END, x::DOUBLE
        FROM (VALUES ${values}) AS v(k, h, c, x)`,
    );
  await rows(
    '(1, 0, 0, 1), (1, 0, 0, 2), (1, 5, 0, 3), (2, 0, NULL, 4), (2, 0, NULL, 5), (3, 0, 0, 6), (3, 0, 1, 7), (3, 0, 1, 7)',
  );
  await rows('(9, 1000, 0, 1)');
  lab.define({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [
      {
        name: 't',
        entities: ['thing'],
        source: { table: 'demo.t', timestampField: 'at', createdTimestampField: 'created' },
        ttl: '10h',
      },
    ],
  });
});
afterAll(() => lab.close());

const at = (k: number | null, hour: number) => ({
  k,
  event_timestamp: new Date(Date.UTC(2001, 0, 1, hour)).toISOString(),
});
const explain = (entities: HistoricalRequest['entities']) =>
  explainHistoricalFeatures(lab.deps, { features: ['t:x'], entities });

test('files, bounds, estimates and the ties that a value decides', async () => {
  const rows = [at(1, 1), at(1, 4), at(1, 6), at(2, 1), at(3, 2), at(2, 11), at(null, 1)];
  const { entityRows, columns, views } = await explain({ rows });
  expect([entityRows, columns.map(({ name }) => name)]).toEqual([7, ['k', 'event_timestamp', 'x']]);
  const { snapshots } = (await lab.table('demo.t')).metadata;
  expect(views.get('t')).toEqual({
    view: 't',
    table: 'demo.t',
    source: expect.objectContaining({ snapshotId: snapshots.at(-1)?.snapshotId }) as object,
    readPath: 'in place',
    files: 1,
    filesSkipped: 1,
    manifestsRead: expect.any(Number) as number,
    manifests: 2,
    bytes: expect.any(BigInt) as bigint,
    rows: 8,
    deletes: { positionFiles: 0, vectors: 0, equalityFiles: 0, bytes: 0n },
    bounds: [
      {
        column: 'at',
        from: '2000-12-31T15:00:00.000000Z',
        to: '2001-01-01T11:00:00.000000Z',
      },
      { column: 'k', values: 3 },
    ],
    method: 'arg-max',
    engine: { engine: 'duckdb', reason: null },
    estimate: { entities: 3, candidates: expect.any(Number) as number, matches: expect.any(Number) as number },
    // (1, 01h) and (1, 04h) and (2, 01h) and (3, 02h): by value. (1, 06h) has a newer row, (2, 11h) is past the ttl.
    tiesDecidedByValue: 4,
  });
});

test('nothing can match: nothing is read', async () => {
  await lab.createTable('demo.frame', { k: 'long', event_timestamp: 'timestamptz' });
  await lab.append('demo.frame', `SELECT NULL, TIMESTAMPTZ '2001-01-01 00:00:00Z'`);
  const { views, entitySources } = await explain({ table: 'demo.frame' });
  expect(views.get('t')).toMatchObject({ files: 0, bytes: 0n, bounds: [], estimate: null, tiesDecidedByValue: 0 });
  expect([...entitySources.keys()]).toEqual(['demo.frame']);
});

test('a window is read without a join', async () => {
  const startUs = BigInt(Date.UTC(2001, 0, 1)) * 1000n;
  const { entityRows, views } = await explain({ window: { startUs, endUs: startUs } });
  expect([entityRows, views.get('t')?.method, views.get('t')?.files, views.get('t')?.filesSkipped]).toEqual([
    7,
    'window',
    1,
    1,
  ]);
});
