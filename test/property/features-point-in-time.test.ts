import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  dropStatements,
  type JoinMethod,
  joinStatements,
  joinTables,
  type PointInTimeJoin,
  probeStatement,
} from '../../features/point-in-time-sql.js';
import { type OracleRow, pointInTime } from '../support/feature-oracle.js';
import {
  countSql,
  FEATURE_TYPES,
  featureSql,
  fromDuckDb,
  keyOf,
  keySql,
  rowOf,
  timeOf,
  type Unit,
  valuesSql,
} from '../support/feature-rows.js';
import { runs } from '../support/property-runs.js';

let instance: DuckDBInstance;
let connection: DuckDBConnection;
beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  connection = await instance.connect();
  await connection.run(`SET TimeZone = 'UTC'`);
});
afterAll(() => {
  connection.disconnectSync();
  instance.closeSync();
});

const unit = fc.constantFrom<Unit>('us', 'ns');

const scenario = fc
  .record({ parts: fc.integer({ min: 0, max: 2 }), timeUnit: unit, createdUnit: unit, frameUnit: unit })
  .chain(({ parts, timeUnit, createdUnit, frameUnit }) =>
    fc.record({
      parts: fc.constant(parts),
      timeUnit: fc.constant(timeUnit),
      createdUnit: fc.constant(createdUnit),
      frameUnit: fc.constant(frameUnit),
      rows: fc.array(rowOf(parts, timeUnit, createdUnit), { maxLength: 40 }),
      frame: fc.array(fc.record({ key: keyOf(parts), timeNs: fc.option(timeOf(frameUnit), { freq: 9 }) }), {
        maxLength: 15,
      }),
      ttlUs: fc.option(fc.constantFrom(1n, 2n, 5n), { freq: 3 }),
      knownAsOf: fc.boolean(),
      selected: fc.constantFrom([0, 1, 2], [2], [1, 0]),
    }),
  );

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

const keyNames = (parts: number): string[] => Array.from({ length: parts }, (_, index) => `k${index}`);

async function load(s: Scenario): Promise<void> {
  const keyTypes = ['NULL::BIGINT', 'NULL::VARCHAR'].slice(0, s.parts);
  const row = (r: OracleRow): string[] => [
    ...r.key.map(keySql),
    countSql(r.timeNs, s.timeUnit),
    countSql(r.createdNs, s.createdUnit),
    String(r.sequence),
    ...r.features.map(featureSql),
  ];
  const columns = [...keyNames(s.parts), 't', 'c', 'q', 'f0', 'f1', 'f2'];
  const empty = [
    ...keyTypes,
    'NULL::BIGINT',
    'NULL::BIGINT',
    'NULL::BIGINT',
    'NULL::DOUBLE',
    'NULL::VARCHAR',
    'NULL::INTEGER[]',
  ];
  await connection.run(`CREATE OR REPLACE TEMPORARY TABLE source AS ${valuesSql(columns, s.rows.map(row), empty)}`);
  const frame = s.frame.map((f, index) => [`${index}::BIGINT`, ...f.key.map(keySql), countSql(f.timeNs, s.frameUnit)]);
  const frameSql = valuesSql(['r', ...keyNames(s.parts), 'ts'], frame, ['NULL::BIGINT', ...keyTypes, 'NULL::BIGINT']);
  await connection.run(`CREATE OR REPLACE TEMPORARY TABLE frame AS ${frameSql}`);
}

async function answer(s: Scenario, method: JoinMethod): Promise<unknown[]> {
  const join: PointInTimeJoin = {
    frame: { table: 'frame', keys: keyNames(s.parts), time: 'ts', timeUnit: s.frameUnit },
    rows: {
      relation: 'source',
      keyCount: s.parts,
      timeUnit: s.timeUnit,
      createdUnit: s.createdUnit,
      hasSequenceNumber: true,
      featureTypes: FEATURE_TYPES,
      selected: s.selected,
    },
    ttlUs: s.ttlUs,
    knownAsOf: s.knownAsOf,
    prefix: 'pit',
  };
  for (const statement of [probeStatement(join), ...joinStatements(join, method)]) await connection.run(statement);
  const columns = s.selected.map((feature) => `f${feature}`).join(', ');
  const { result } = joinTables(join);
  const rows = (await connection.runAndReadAll(`SELECT ${columns} FROM ${result}`)).getRows();
  for (const statement of [...dropStatements(join), `DROP TABLE ${result}`]) await connection.run(statement);
  return rows.map((row) => row.map(fromDuckDb));
}

function expected(s: Scenario): unknown[] {
  const options = { ttlNs: s.ttlUs === null ? null : s.ttlUs * 1000n, knownAsOf: s.knownAsOf };
  return s.frame.map(({ key, timeNs }) => {
    const row = pointInTime(s.rows, key, timeNs, options);
    return s.selected.map((feature) => row?.features[feature] ?? null);
  });
}

describe.each<JoinMethod>(['arg-max', 'max-join-back', 'asof-join-back'])('%s', (method) => {
  test('gives what nested loops give, in the order of the frame', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async (s) => {
        if (method === 'asof-join-back' && s.knownAsOf) return;
        await load(s);
        expect(await answer(s, method)).toEqual(expected(s));
      }),
      { numRuns: runs(150) },
    );
  });
});
