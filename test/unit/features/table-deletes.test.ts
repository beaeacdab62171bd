/** Deleted rows are in no answer, whichever way a table is read. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { explainHistoricalFeatures, pullAll, pullLatest } from '../../../features/index.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.t', { k: 'long', event_timestamp: 'timestamp', x: 'long' });
  const time = `TIMESTAMP '2001-01-01' + to_hours(h)`;
  await lab.append(
    'demo.t',
    `SELECT k, ${time}, x FROM (VALUES (1, 0, 10), (1, 5, 15), (2, 0, 20), (3, 0, 30)) AS v(k, h, x)`,
  );
  const writer = new DeleteWriter(lab, { namespace: ['demo'], name: 't' });
  const { metadata } = await writer.load();
  const engine = lab.engine;
  const folder = metadata.location.replace('file://', '');
  const [[path] = []] = await engine.withConnection((connection) =>
    connection.rows(`SELECT file FROM glob('${folder}/data/*.parquet')`),
  );
  // The row (1, 5 h) by its position, and all of key 3 by value.
  const positions = await writer.positions([{ path: String(path), position: 1 }]);
  const equality = await writer.equality({ k: 1 }, 'SELECT 3::BIGINT AS k');
  await writer.commit([positions, equality]);
  lab.define({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [{ name: 't', entities: ['thing'], source: { table: 'demo.t', timestampField: 'event_timestamp' } }],
  });
});
afterAll(() => lab.close());

const values = (rows: readonly Readonly<Record<string, unknown>>[], name = 'x') => rows.map((row) => row[name]).sort();

test('as features, as entity rows, in SQL by both kinds of names, in a window, pulled; explain says how', async () => {
  const late = { event_timestamp: '2001-01-02T00:00:00Z' };
  const rows = [1, 2, 3].map((k) => ({ k, ...late }));
  const joined = await lab.historical({ features: ['t:x'], entities: { rows } });
  expect(joined.rows.map((row) => row.x)).toEqual([10, 20, null]);
  const full = { features: ['t:x'], fullFeatureNames: true };
  expect(values((await lab.historical({ ...full, entities: { table: 'demo.t' } })).rows, 'k')).toEqual([1, 2]);
  for (const from of ['demo.t', 'named']) {
    const query = { sql: `SELECT k, event_timestamp FROM ${from} ORDER BY k`, tables: new Map([['named', 'demo.t']]) };
    expect((await lab.historical({ ...full, entities: { query } })).rows.map((row) => row.t__x)).toEqual([10, 20]);
    const pulled = { source: { query }, joinKeys: ['k'], timestampField: 'event_timestamp' };
    expect(
      await pullAll(lab.deps, pulled, ({ connection, select }) => connection.rows(`SELECT count(*) FROM (${select})`)),
    ).toEqual([[2n]]);
  }
  const window = { startUs: 0n, endUs: BigInt(Date.UTC(2002, 0, 1)) * 1000n };
  expect(values((await lab.historical({ features: ['t:x'], entities: { window } })).rows)).toEqual([10, 20]);
  const request = { source: { table: 'demo.t' }, joinKeys: ['k'], timestampField: 'event_timestamp' };
  for (const pull of [pullAll, pullLatest]) {
    const read = await pull(lab.deps, request, ({ connection, select }) => connection.rows(select));
    expect(read.map(([k, x]) => [k, x]).sort()).toEqual([
      [1n, 10n],
      [2n, 20n],
    ]);
  }
  const { views } = await explainHistoricalFeatures(lab.deps, { features: ['t:x'], entities: { rows } });
  expect(views.get('t')).toMatchObject({
    readPath: 'with deletes',
    files: 1,
    deletes: { positionFiles: 1, vectors: 0, equalityFiles: 1 },
  });
});
