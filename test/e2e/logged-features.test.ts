/** Served features are logged, and compared with retrieval after late rows, changed ttls, backfills and nulls; counts are worked out by hand. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CauseCounts, FeatureComparison, LogComparison } from '../../logging/index.js';
import type { OnlineResponse } from '../../online/index.js';
import { LoggingLab } from '../support/logging-lab.js';

const DAY = '2026-03-01';
/** The time that the answers are as of. */
const NOON = new Date(`${DAY}T12:00:00Z`);
const us = (date: Date): bigint => BigInt(date.getTime()) * 1000n;

/** A row of the source: event time and creation by their clock time of the day. */
const row = (sensor: number, at: string, created: string, a: number | string | null) => ({
  sensor,
  event_ts: `${DAY}T${at}:00Z`,
  created: `${DAY}T${created}:00Z`,
  a,
  b: 'b',
});

const source = { table: 'demo.stats', timestampField: 'event_ts', createdTimestampField: 'created' };

/** Two views of one table, whose ttls are changed into each other's after the request. */
const definitions = (statsTtl: string, recentTtl: string) => ({
  entities: [{ name: 'sensor', joinKeys: ['sensor'] }],
  featureViews: [
    {
      name: 'stats',
      entities: ['sensor'],
      source,
      ttl: statsTtl,
      online: true,
      onlineBuckets: 2,
      features: ['a', 'b'],
    },
    { name: 'recent', entities: ['sensor'], source, ttl: recentTtl, online: true, onlineBuckets: 2, features: ['a'] },
  ],
  featureServices: [{ name: 'svc', features: ['stats', 'recent'] }],
});

/** Sensors of the request, one row each; 7 has NaN, 8 is unknown everywhere, 12 is given a wrong value. */
const SENSORS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

function withValue(response: OnlineResponse, rowIndex: number, column: number, value: number): OnlineResponse {
  const rows = response.rows.map((values, index) =>
    index === rowIndex ? values.map((each, at) => (at === column ? { ...each, value } : each)) : values,
  );
  return { ...response, rows };
}

let lab: LoggingLab;
let comparison: LogComparison;

beforeAll(async () => {
  lab = await LoggingLab.open();
  const { moraine } = lab;
  const times = { event_ts: 'timestamptz', created: 'timestamptz' };
  await lab.createTable('demo.stats', { sensor: 'long', ...times, a: 'double', b: 'string' });
  await moraine.apply(definitions('6h', '24h'));
  await lab.append('demo.stats', [
    row(1, '10:00', '10:01', 1),
    row(2, '10:00', '10:01', 2),
    row(4, '10:00', '10:01', 4),
    row(6, '05:00', '05:01', 6),
    row(7, '10:00', '10:01', 'NaN'),
    row(9, '10:00', '10:01', 9),
    row(10, '10:00', '10:01', null),
    row(11, '10:00', '10:01', 11),
    row(12, '10:00', '10:01', 12),
  ]);
  await lab.materialize('stats', 'recent');
  // In the source before the request, and not materialized.
  await lab.append('demo.stats', [
    row(9, '11:00', '11:01', null),
    row(10, '11:00', '11:01', 10),
    row(11, '11:00', '11:01', 110),
  ]);
  const entities = SENSORS.map((sensor) => ({ sensor }));
  const request = { service: 'svc', entities, fullFeatureNames: true };
  const response = await moraine.getOnlineFeatures({ ...request, nowUs: us(NOON) });
  const wrong = withValue(response, SENSORS.indexOf(12), 0, 999);
  const requestData = SENSORS.map((sensor) => ({ page: `p${sensor}` }));
  await moraine.writeLoggedFeatures('svc', [{ response: wrong, entities, requestData, requestId: 'noon' }]);
  // The day before there is no row yet: nothing is served, and nothing is retrieved.
  const before = await moraine.getOnlineFeatures({ ...request, nowUs: us(NOON) - 86_400_000_000n });
  await moraine.writeLoggedFeatures('svc', [{ response: before, entities, requestId: 'day before' }]);
  // Committed after the request: late, and created after it.
  await lab.append('demo.stats', [
    row(2, '11:00', '11:05', 20),
    row(3, '11:00', '11:05', 30),
    row(4, '11:00', '13:00', 40),
    row(5, '11:00', '13:00', 50),
  ]);
  await moraine.apply(definitions('24h', '6h'));
  comparison = await moraine.compareLoggedFeatures({
    service: 'svc',
    start: new Date(`${DAY}T00:00:00Z`),
    examples: 1,
  });
}, 120_000);

afterAll(() => lab.close());

const NONE: CauseCounts = {
  total: 0,
  'created-after': 0,
  late: 0,
  ttl: 0,
  null: 0,
  'not-materialized': 0,
  unexplained: 0,
};
const counts = (total: number, by: Partial<CauseCounts>): CauseCounts => ({ ...NONE, total, ...by });

describe('served features compared with retrieval', () => {
  it('counts each difference under its cause', () => {
    const expected: readonly FeatureComparison[] = [
      {
        name: 'stats__a',
        match: 3, // 1, 7 (NaN), 8 (nothing on both sides)
        mismatch: counts(4, { late: 1, 'created-after': 1, 'not-materialized': 1, unexplained: 1 }), // 2, 4, 11, 12
        missing: counts(4, { late: 1, 'created-after': 1, ttl: 1, null: 1 }), // 3, 5, 6, 10
        extra: counts(1, { null: 1 }), // 9
        notLogged: 0,
      },
      {
        name: 'stats__b',
        match: 9, // all but 3, 5 and 6: every row has the same text
        mismatch: NONE,
        missing: counts(3, { late: 1, 'created-after': 1, ttl: 1 }),
        extra: NONE,
        notLogged: 0,
      },
      {
        name: 'recent__a',
        match: 4, // 1, 7, 8, 12
        mismatch: counts(3, { late: 1, 'created-after': 1, 'not-materialized': 1 }), // 2, 4, 11
        missing: counts(3, { late: 1, 'created-after': 1, null: 1 }), // 3, 5, 10
        extra: counts(2, { null: 1, ttl: 1 }), // 9, 6
        notLogged: 0,
      },
    ];
    expect(comparison.features).toEqual(expected);
    expect(comparison).toMatchObject({ service: 'svc', rows: 12, matches: false, undatable: 0 });
  });

  it('shows what was served and what is retrieved', () => {
    const of = (feature: string, cause: string) =>
      comparison.examples.filter((example) => example.feature === feature && example.cause === cause);
    expect(of('stats__a', 'late').map(({ difference }) => difference)).toEqual(['mismatch', 'missing']);
    expect(of('stats__a', 'unexplained')).toEqual([
      {
        feature: 'stats__a',
        difference: 'mismatch',
        cause: 'unexplained',
        requestId: 'noon',
        entity: new Map([['sensor', '12']]),
        eventTimestampUs: us(NOON),
        status: 'PRESENT',
        served: '999.0',
        servedEventTimestampUs: us(new Date(`${DAY}T10:00:00Z`)),
        offline: '12.0',
        offlineEventTimestampUs: us(new Date(`${DAY}T10:00:00Z`)),
      },
    ]);
    expect(of('recent__a', 'ttl')).toMatchObject([{ difference: 'extra', served: '6.0', offline: null }]);
    expect(of('stats__a', 'ttl')).toMatchObject([{ status: 'OUTSIDE_MAX_AGE', served: null, offline: '6.0' }]);
  });

  it('compares a window only: the day before, nothing was served and nothing is retrieved', async () => {
    const end = new Date(`${DAY}T00:00:00Z`);
    const before = await lab.moraine.compareLoggedFeatures({ service: 'svc', end });
    expect(before).toMatchObject({ rows: 12, matches: true, examples: [] });
    expect(before.features.map(({ match }) => match)).toEqual([12, 12, 12]);
  });

  it('compares a long window in parts: the same answer, and no table stays behind', async () => {
    const whole = await lab.moraine.compareLoggedFeatures({ service: 'svc', examples: 1 });
    expect(whole).toMatchObject({ rows: 24, matches: false, examples: comparison.examples });
    const progress: object[] = [];
    const onProgress = (at: object) => void progress.push(at);
    const parts = { service: 'svc', examples: 1, partRows: 1, onProgress };
    expect(await lab.moraine.compareLoggedFeatures(parts)).toEqual(whole);
    expect(progress).toEqual([
      { rows: 12, totalRows: 24 },
      { rows: 24, totalRows: 24 },
    ]);
    const engine = await lab.moraine.project.engine();
    const left = "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'log comparison%'";
    expect(await engine.withConnection((connection) => connection.rows(left))).toEqual([[0n]]);
  });

  it('gives the requests back as entity rows', async () => {
    const { table } = await lab.moraine.getHistoricalFeatures({
      features: ['stats:a'],
      entities: { logged: 'svc', start: new Date(`${DAY}T00:00:00Z`) },
    });
    expect(table.schema.fields.map(({ name }) => name)).toEqual([
      'event_timestamp',
      '__request_id',
      'sensor',
      'page',
      'a',
    ]);
    const rows = table.toArray().map((each) => (each as { toJSON(): Record<string, unknown> }).toJSON());
    rows.sort((x, y) => Number(x.sensor) - Number(y.sensor));
    expect(rows.map(({ sensor, page, a }) => [Number(sensor), page, a])).toEqual([
      [1, 'p1', 1],
      [2, 'p2', 20],
      [3, 'p3', 30],
      [4, 'p4', 40],
      [5, 'p5', 50],
      [6, 'p6', 6],
      [7, 'p7', Number.NaN],
      [8, 'p8', null],
      [9, 'p9', null],
      [10, 'p10', 10],
      [11, 'p11', 110],
      [12, 'p12', 12],
    ]);
  });

  it('gives back what was served, with statuses, event times and snapshots', async () => {
    const reader = await lab.moraine.loggedFeatures({ service: 'svc', start: new Date(`${DAY}T00:00:00Z`) });
    try {
      const rows = [...(await reader.toRows())].sort((a, b) => Number(a.sensor) - Number(b.sensor));
      expect(rows).toHaveLength(12);
      expect(rows[5]).toMatchObject({
        event_timestamp: `${DAY}T12:00:00.000000Z`,
        __request_id: 'noon',
        sensor: 6,
        page: 'p6',
        stats__a: null,
        stats__a__timestamp: `${DAY}T05:00:00.000000Z`,
        stats__a__status: 'OUTSIDE_MAX_AGE',
        recent__a: 6,
        recent__a__status: 'PRESENT',
      });
      expect(rows[9]).toMatchObject({ stats__a: null, stats__a__status: 'NULL_VALUE', stats__b: 'b' });
      expect(rows[7]).toMatchObject({ stats__a: null, stats__a__timestamp: null, stats__a__status: 'NOT_FOUND' });
      const online = await lab.moraine.project.loadTable('moraine_online.stats');
      expect(BigInt(rows[0]?.__snapshot_id__stats as bigint)).toBe(online.metadata.currentSnapshotId);
    } finally {
      await reader.close();
    }
  });

  it('is partitioned by the day of the request', async () => {
    const log = await lab.moraine.project.loadTable('moraine_logs.svc_log');
    expect(log.metadata.partitionSpecs[0]?.fields.map(({ name, transform }) => [name, transform.kind])).toEqual([
      ['event_timestamp_day', 'day'],
    ]);
  });
});
