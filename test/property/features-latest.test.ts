import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SqlSession } from '../../features/sql-session.js';
import {
  type LatestMethod,
  type LatestRequest,
  prepareLatestPerEntity,
} from '../../features/views/latest-per-entity.js';
import {
  FEATURE_TYPES,
  featureSql,
  fromDuckDb,
  keySql,
  rowOf,
  timestampSql,
  type Unit,
  valuesSql,
} from '../support/feature-rows.js';
import { runs } from '../support/property-runs.js';
import { latestPerEntity, type OracleRow } from '../worlds/oracle.js';

let instance: DuckDBInstance;
let connection: DuckDBConnection;
let session: SqlSession;
beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  connection = await instance.connect();
  session = {
    run: async (sql) => void (await connection.run(sql)),
    rows: async (sql) => (await connection.runAndReadAll(sql)).getRows(),
  };
});
afterAll(() => {
  connection.disconnectSync();
  instance.closeSync();
});

const scenario = fc
  .record({ parts: fc.integer({ min: 0, max: 2 }), timeUnit: fc.constantFrom<Unit>('us', 'ns') })
  .chain(({ parts, timeUnit }) =>
    fc.record({
      parts: fc.constant(parts),
      timeUnit: fc.constant(timeUnit),
      rows: fc.array(rowOf(parts, timeUnit, 'us'), { maxLength: 40 }),
    }),
  );
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

async function load(s: Scenario): Promise<LatestRequest> {
  const keys = Array.from({ length: s.parts }, (_, index) => `Key ${index}`);
  const row = (r: OracleRow): string[] => [
    ...r.key.map(keySql),
    timestampSql(r.timeNs, s.timeUnit),
    timestampSql(r.createdNs, 'us'),
    String(r.sequence),
    ...r.features.map(featureSql),
    `'${r.sequence}'`,
  ];
  const columns = [...keys.map((key) => `"${key}"`), '"event ""time"""', 'created', 'seq', 'f0', 'f1', 'f2', 'note'];
  const empty = [
    ...['NULL::BIGINT', 'NULL::VARCHAR'].slice(0, s.parts),
    timestampSql(null, s.timeUnit),
    timestampSql(null, 'us'),
    ...['NULL::BIGINT', 'NULL::DOUBLE', 'NULL::VARCHAR', 'NULL::INTEGER[]', 'NULL::VARCHAR'],
  ];
  await connection.run(`CREATE OR REPLACE TEMPORARY TABLE source AS ${valuesSql(columns, s.rows.map(row), empty)}`);
  return {
    relation: 'source',
    keys: keys.map((key) => ({ column: key, as: `${key}'` })),
    timestamp: { column: 'event "time"', as: 'event_timestamp' },
    created: { column: 'created', as: 'created_timestamp' },
    sequenceNumber: 'seq',
    features: FEATURE_TYPES.map((type, index) => ({ column: `f${index}`, as: `Feature ${index}`, type })),
    carried: [{ column: 'note', as: 'carried' }],
  };
}

async function answer(s: Scenario, request: LatestRequest, method: LatestMethod): Promise<unknown[][]> {
  const latest = await prepareLatestPerEntity(session, request, method);
  const time = s.timeUnit === 'us' ? 'epoch_us' : 'epoch_ns';
  const sql = `SELECT * REPLACE (${time}(event_timestamp) AS event_timestamp, epoch_us(created_timestamp) AS created_timestamp) FROM (${latest.select})`;
  const rows = (await connection.runAndReadAll(sql)).getRows();
  await latest.release();
  return rows.map((row) => row.map(fromDuckDb));
}

const byKey = (a: unknown[], b: unknown[]): number => (String(a.slice(0, 2)) < String(b.slice(0, 2)) ? -1 : 1);

function expected(s: Scenario): unknown[][] {
  return latestPerEntity(s.rows).map((row) => [
    ...row.key.map((part) => (typeof part === 'number' ? BigInt(part) : part)),
    s.timeUnit === 'us' ? (row.timeNs ?? 0n) / 1000n : row.timeNs,
    row.createdNs === null ? null : row.createdNs / 1000n,
    ...row.features,
    String(row.sequence),
  ]);
}

describe.each<LatestMethod>(['arg-max', 'row-number', 'max-join-back', 'collect'])('%s', (method) => {
  test('gives the newest row of every entity, ties decided as by nested loops', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (s) => {
        const request = await load(s);
        expect((await answer(s, request, method)).sort(byKey)).toEqual(expected(s).sort(byKey));
      }),
      { numRuns: runs(150) },
    );
  });
});

test('a sequence number counts only where one is given', async () => {
  const rows: OracleRow[] = [
    { key: [1], timeNs: 0n, createdNs: null, sequence: 2, features: [1, null, null] },
    { key: [1], timeNs: 0n, createdNs: null, sequence: 1, features: [2, null, null] },
  ];
  const request = { ...(await load({ parts: 1, timeUnit: 'us', rows })), sequenceNumber: undefined };
  for (const method of ['arg-max', 'row-number', 'max-join-back', 'collect'] as const) {
    expect((await answer({ parts: 1, timeUnit: 'us', rows }, request, method)).map((row) => row[3])).toEqual([2]);
  }
});

test('0 wins over -0 in whichever order the rows come, and -0 is given back as -0', async () => {
  const row = (key: number, value: number): OracleRow => ({
    key: [key],
    timeNs: 0n,
    createdNs: null,
    sequence: 1,
    features: [value, null, null],
  });
  for (const rows of [
    [row(0, -0), row(1, 0), row(1, -0)],
    [row(0, -0), row(1, -0), row(1, 0)],
  ]) {
    const s: Scenario = { parts: 1, timeUnit: 'us', rows };
    for (const method of ['arg-max', 'row-number', 'max-join-back', 'collect'] as const) {
      const answers = (await answer(s, await load(s), method)).sort(byKey);
      expect(answers.map((values) => values[3])).toEqual([-0, 0]);
    }
  }
});
