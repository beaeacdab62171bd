/** What another engine is asked for a retrieval; on Trino itself: test/servers/trino-types.test.ts. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reduceJoin } from '../../../features/retrieval/reduced-join.js';
import { resolveView } from '../../../features/views/resolve-view.js';
import { currentSchema, currentSnapshot } from '../../../iceberg/index.js';
import type { Reduction, TrinoEngine } from '../../../reduction/index.js';
import { planSource } from '../../../scans/index.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  for (const type of ['timestamp', 'timestamptz'] as const) {
    await lab.createTable(`demo.${type}`, { k: 'long', at: type, made: type, v: 'long' });
    await lab.append(`demo.${type}`, `SELECT 1, make_${type}(0), make_${type}(0), 1`);
  }
  lab.define({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: ['timestamp', 'timestamptz'].map((type) => ({
      name: type,
      entities: ['thing'],
      ttl: '1h',
      source: { table: `demo.${type}`, timestampField: 'at', createdTimestampField: 'made' },
    })),
  });
});
afterAll(() => lab.close());

/** What Trino is given for entity rows of one key at these times, in microseconds: the probe's times, and the bounds of what is read. */
async function askedAt(type: 'timestamp' | 'timestamptz', timesUs: readonly bigint[]) {
  const table = await lab.table(`demo.${type}`);
  const schema = currentSchema(table.metadata);
  const view = resolveView(lab.definitions, type, schema);
  const source = { table, schema, snapshot: currentSnapshot(table.metadata) ?? null };
  const plan = await planSource(source);
  return await lab.engine.withConnection(async (connection) => {
    const rows = timesUs.map(
      (us) => `SELECT 1::BIGINT AS k0, '${us}'::BIGINT AS hi, '${us}'::BIGINT AS lo, '${us}'::BIGINT AS known`,
    );
    await connection.run(`CREATE TEMPORARY TABLE probe AS ${rows.join(' UNION ALL ')}`);
    const seen: { read?: unknown; probe?: readonly (readonly unknown[])[] } = {};
    const trino = {
      reduce: async (_: unknown, reduction: Reduction, { probe = '' }: { readonly probe?: string }) => {
        if (reduction.kind === 'point-in-time') seen.read = [reduction.read.startUs, reduction.read.endUs];
        const times = ['hi', 'lo', 'known'].map((column) => `epoch_us(${column})`);
        seen.probe = await connection.rows(`SELECT ${times.join(', ')} FROM (${probe}) ORDER BY hi`);
        return { table, rows: 0n, release: () => Promise.resolve() };
      },
    } as unknown as TrinoEngine;
    const ordered = [...timesUs].sort((a, b) => (a < b ? -1 : 1));
    const bounds = { lowest: ordered[0] ?? null, highest: ordered.at(-1) ?? 0n } as never;
    await reduceJoin(trino, connection, { join: { view, source, knownAsOf: true }, plan, bounds, probe: 'probe' });
    return seen;
  });
}

const usOf = (year: number): bigint => BigInt(Date.UTC(year, 0, 1)) * 1000n;
const thrice = (us: bigint) => [us, us, us];

test.each(['timestamp', 'timestamptz'] as const)(
  'entity rows keep their time in a probe of %s, of whichever year',
  async (type) => {
    // 1,000 years before the first, an ordinary one, and the year 12000.
    const years = [-62_167_219_200_000_000n - 31_556_952_000_000_000n, usOf(2020), usOf(12_000)];
    expect(usOf(12_000)).toBe(316_516_204_800_000_000n);
    expect(await askedAt(type, years)).toEqual({ read: [null, null], probe: years.map(thrice) });
    const ordinary = [usOf(2020), usOf(2021)];
    expect(await askedAt(type, ordinary)).toEqual({
      read: [1_577_836_800_000_000n, 1_609_459_200_000_001n],
      probe: ordinary.map(thrice),
    });
  },
);

test('times beyond what an engine has are its first and its last', async () => {
  const ends = [-(2n ** 63n), 2n ** 63n - 1n];
  const { probe: zoned } = await askedAt('timestamptz', ends);
  expect(zoned).toEqual([-(2n ** 51n) * 1000n, 2n ** 51n * 1000n - 1n].map(thrice));
  const { probe: unzoned } = await askedAt('timestamp', ends);
  expect(unzoned).toEqual([-9_223_372_022_400_000_000n, 2n ** 63n - 2n].map(thrice));
});
