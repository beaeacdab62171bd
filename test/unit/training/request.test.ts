/** Requests to the workflow `trainingSet`. */
import { expect, test } from 'vitest';
import { isMoraineError } from '../../../errors/index.js';
import { parseTrainingSetRequest, trainingSetRequestToJson } from '../../../training/index.js';

const SMALLEST = {
  name: 'churn_march',
  features: ['stats'],
  entities: { table: 'shop.labels' },
  to: 'shop.churn_march',
};

test('the smallest input, and one with everything', () => {
  expect(parseTrainingSetRequest(SMALLEST)).toEqual({
    name: 'churn_march',
    features: [{ view: 'stats' }],
    entities: { table: 'shop.labels' },
    to: 'shop.churn_march',
    pin: false,
    fullFeatureNames: false,
    knownAsOf: false,
  });
  const parsed = parseTrainingSetRequest({
    ...SMALLEST,
    features: ['stats:mean', { view: 'stats', alias: 'home', features: ['mean'], joinKeyMap: { shop: 'home_shop' } }],
    entities: { table: 'shop.labels', asOf: { snapshotId: '9223372036854775807' } },
    shards: 1000,
    pin: true,
    fullFeatureNames: true,
    knownAsOf: true,
    asOf: { time: '2001-02-03T04:05:06.789+01:00' },
    engine: 'auto',
  });
  expect(parsed).toMatchObject({
    features: [
      { view: 'stats', features: ['mean'] },
      { view: 'stats', alias: 'home', features: ['mean'], joinKeyMap: new Map([['shop', 'home_shop']]) },
    ],
    entities: { table: 'shop.labels', asOf: { snapshotId: 9223372036854775807n } },
    shards: 1000,
    pin: true,
    fullFeatureNames: true,
    knownAsOf: true,
    asOf: { asOfMs: 981169506789n },
    engine: 'auto',
  });
});

test.each([
  { service: 'all', features: undefined },
  { asOf: { ref: 'release' } },
  { asOf: { snapshots: { 'shop.stats': '7', 'shop.empty': null }, others: 'current' } },
  { asOf: { snapshots: { 'shop.stats': { snapshotId: '7', schemaId: 2, tableUuid: 'u' } } } },
  { entities: { staged: '/w/staged/moraine-entities-1.json' } },
  { engine: 'trino', shards: 3 },
])('written as JSON and read again it is the same: %j', (change) => {
  const parsed = parseTrainingSetRequest({ ...SMALLEST, ...change });
  const json: unknown = JSON.parse(JSON.stringify(trainingSetRequestToJson(parsed)));
  expect(parseTrainingSetRequest(json)).toEqual(parsed);
  expect(JSON.stringify(json).length).toBeLessThan(300);
});

test.each<readonly [unknown, readonly string[]]>([
  [null, ['for example {"name": "churn_march"']],
  [{ ...SMALLEST, name: 'no spaces' }, ['"name": a name begins with a letter']],
  [{ ...SMALLEST, name: undefined, to: 7 }, ['"name": ', '"to": ']],
  [{ ...SMALLEST, features: [] }, ['"features": ']],
  [{ ...SMALLEST, features: ['stats', 7] }, ['"features.1": must be "view", "view:feature"']],
  [{ ...SMALLEST, service: 'all' }, ['give either "features" or "service"']],
  [{ ...SMALLEST, features: undefined }, ['give either "features" or "service"']],
  [{ ...SMALLEST, to: 'unqualified' }, ['"to": ']],
  [{ ...SMALLEST, entities: 'shop.labels' }, ['"entities": must be {"table": "NS.TABLE"}']],
  [{ ...SMALLEST, entities: { sql: 'SELECT 1' } }, ['"entities": must be {"table": "NS.TABLE"}; files, rows and SQL']],
  [{ ...SMALLEST, entities: { table: 'shop.labels', staged: '/x' } }, ['"entities": must have either "table"']],
  [{ ...SMALLEST, entities: {} }, ['"entities": must have either "table"']],
  [{ ...SMALLEST, shards: 0 }, ['"shards": ']],
  [{ ...SMALLEST, shards: 1001 }, ['"shards": ']],
  [{ ...SMALLEST, shards: 1.5 }, ['"shards": ']],
  [{ ...SMALLEST, pin: 'yes' }, ['"pin": ']],
  [{ ...SMALLEST, asOf: { time: '2001-02-03' } }, ['"asOf.time": must be an ISO-8601 time with a zone']],
  [{ ...SMALLEST, asOf: {} }, ['"asOf": must have one of "time", "ref", "snapshotId" and "snapshots"']],
  [{ ...SMALLEST, asOf: { ref: 'a', others: 'current' } }, ['"asOf": "others" goes with "snapshots"']],
  [{ ...SMALLEST, asOf: { snapshotId: 7 } }, ['"asOf.snapshotId": ']],
  [{ ...SMALLEST, shard: 8 }, ['"shard"']],
])('%j is refused, and the field named', (input, fragments) => {
  try {
    parseTrainingSetRequest(input);
  } catch (error) {
    if (!isMoraineError(error)) throw error;
    expect(error.code).toBe('INVALID_ARGUMENT');
    for (const fragment of fragments) expect(error.message).toContain(fragment);
    return;
  }
  expect.unreachable();
});
