import { describe, expect, test } from 'vitest';
import { isMap, isSeq, LineCounter, parseDocument } from 'yaml';
import { MoraineError } from '../../../errors/index.js';
import {
  collectDefinitions,
  defineEntity,
  defineFeatureService,
  defineFeatureView,
  parseDefinitions,
  parseDurationMs,
  resolveView,
  validateSources,
} from '../../../features/index.js';
import { parseType, type Schema } from '../../../iceberg/index.js';

const YAML = `entities:
  - { name: airport, joinKeys: [origin] }
featureViews:
  - name: airport_delay
    entities: [airport]
    source: { table: demo.airport_hourly, timestampField: event_ts, createdTimestampField: created }
    ttl: 6h
    online: true
    features:
      - { name: mean_delay, type: double }
featureServices:
  - { name: departures, features: [airport_delay] }
`;

const fromYaml = (text: string) => parseDefinitions([{ value: parseDocument(text).toJS() as unknown }]);

const schemaOf = (columns: Record<string, string>): Schema => ({
  schemaId: 0,
  identifierFieldIds: [],
  fields: Object.entries(columns).map(([name, type], index) => ({
    id: index + 1,
    name,
    required: false,
    type: parseType(type),
  })),
});

const HOURLY = schemaOf({
  origin: 'string',
  event_ts: 'timestamptz',
  created: 'timestamptz',
  mean_delay: 'float',
  flights: 'long',
});

function problemsOf(action: () => unknown): readonly string[] {
  try {
    action();
  } catch (error) {
    if (error instanceof MoraineError && error.code === 'DEFINITION_INVALID')
      return error.details.problems as readonly string[];
    throw error;
  }
  return [];
}

test('the example of the documentation', () => {
  const { entities, featureViews, featureServices } = fromYaml(YAML);
  expect(entities.get('airport')).toEqual({ name: 'airport', joinKeys: ['origin'] });
  expect(featureViews.get('airport_delay')).toEqual({
    name: 'airport_delay',
    entities: ['airport'],
    source: { table: 'demo.airport_hourly', timestampField: 'event_ts', createdTimestampField: 'created' },
    ttlMs: 21_600_000n,
    online: true,
    features: [{ name: 'mean_delay', type: { kind: 'double' } }],
  });
  expect(featureServices.get('departures')).toEqual({ name: 'departures', features: [{ view: 'airport_delay' }] });
});

test('TypeScript and YAML give the same definitions', () => {
  const airport = defineEntity({ name: 'airport', joinKeys: ['origin'] });
  const delay = defineFeatureView({
    name: 'airport_delay',
    entities: [airport],
    source: { table: 'demo.airport_hourly', timestampField: 'event_ts', createdTimestampField: 'created' },
    ttl: '6h',
    online: true,
    features: [{ name: 'mean_delay', type: 'double' }],
  });
  const departures = defineFeatureService({ name: 'departures', features: [delay] });
  expect(parseDefinitions([{ value: collectDefinitions([airport, delay, departures, 'other exports']) }])).toEqual(
    fromYaml(YAML),
  );
});

test('a name that does not exist does not compile', () => {
  const airport = defineEntity({ name: 'airport', joinKeys: ['origin'] });
  const source = { table: 'demo.t', timestampField: 'ts' };
  const delay = defineFeatureView({
    name: 'delay',
    entities: [airport],
    source,
    features: ['mean_delay', { name: 'flights', type: 'long' }],
  });
  const open = defineFeatureView({ name: 'open', entities: [airport], source });
  // @ts-expect-error no such feature
  delay.feature('mean_dealy');
  expect(delay.feature('flights')).toEqual({ kind: 'feature', view: 'delay', feature: 'flights' });
  // Without a list of features, those of the table are not known here.
  expect(open.feature('anything').feature).toBe('anything');
  const service = defineFeatureService({
    name: 'service',
    features: [
      open,
      delay.feature('mean_delay'),
      { view: delay, features: ['flights'], alias: 'other', joinKeyMap: { origin: 'dest' } },
    ],
  });
  expect(service.definition).toEqual({
    name: 'service',
    features: [
      { view: 'open' },
      { view: 'delay', features: ['mean_delay'] },
      { view: 'delay', features: ['flights'], alias: 'other', joinKeyMap: { origin: 'dest' } },
    ],
  });
  const neverCalled = () => {
    // @ts-expect-error no such feature in the view
    defineFeatureService({ name: 'service', features: [{ view: delay, features: ['flihgts'] }] });
    // @ts-expect-error a view is given as its definition, so that its features are known
    defineFeatureService({ name: 'service', features: ['delay'] });
    // @ts-expect-error an entity is given as its definition
    defineFeatureView({ name: 'bad', entities: ['airport'], source });
    // @ts-expect-error no such type
    defineFeatureView({ name: 'bad', entities: [airport], source, features: [{ name: 'x', type: 'dubble' }] });
    // @ts-expect-error a number has no unit
    defineFeatureView({ name: 'bad', entities: [airport], source, ttl: 6 });
  };
  expect(neverCalled).toBeTypeOf('function');
});

test('every problem is reported at once, with path, line and the nearest name', () => {
  const text = `entites: []
entities:
  - { name: airport, joinKeys: [] }
  - { name: 'a:b', joinKeys: [x] }
featureViews:
  - name: delay
    entities: [airport]
    source: { tabel: demo.t, timestampField: ts }
    ttl: 6 hours
    features:
      - { name: x, type: dubble }
      - { name: y, typ: double }
  - name: twice
    source: { table: demo.t, timestampField: ts }
    features: [a, a]
featureServices:
  - { name: s, features: ['delay:'] }
`;
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const lineOf = (path: readonly (string | number)[]): number | undefined => {
    for (let length = path.length; length > 0; length--) {
      const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
      const last = path[length - 1];
      if (isMap(parent)) {
        const pair = parent.items.find((item) => String(item.key) === last);
        const start = (pair?.key as { range?: [number, number, number] } | undefined)?.range?.[0];
        if (start !== undefined) return lines.linePos(start).line;
      }
      if (isSeq(parent)) {
        const start = (parent.items[Number(last)] as { range?: [number, number, number] } | undefined)?.range?.[0];
        if (start !== undefined) return lines.linePos(start).line;
      }
    }
    return undefined;
  };
  const value: unknown = document.toJS();
  expect(problemsOf(() => parseDefinitions([{ value, file: 'features.yaml', lineOf }]))).toEqual([
    "features.yaml: entites (line 1): unknown key. Did you mean 'entities'?",
    'features.yaml: entities.airport.joinKeys (line 3): must name at least one column',
    'features.yaml: entities.a:b.name (line 4): must begin with a letter or _, then letters, digits, _ or -, at most 128 in all',
    'features.yaml: featureViews.delay.source.table (line 8): Invalid input: expected string, received undefined',
    "features.yaml: featureViews.delay.source.tabel (line 8): unknown key. Did you mean 'table'?",
    "features.yaml: featureViews.delay.ttl (line 9): '6 hours' is not a duration; write for example '90s', '15m', '6h', '2d' or 'PT6H'",
    expect.stringContaining(
      "features.yaml: featureViews.delay.features.0.type (line 11): 'dubble' is not a type; use boolean, int",
    ),
    "features.yaml: featureViews.delay.features.1.typ (line 12): unknown key. Did you mean 'type'?",
    "features.yaml: featureViews.twice (line 13): 'a' is listed twice",
    'features.yaml: featureServices.s.features.0.features.0 (line 17): must not be empty',
  ]);
});

test.each([0, null, '0s', 'PT0S', undefined])('a ttl of %j is no limit', (ttl) => {
  const source = { table: 'a.t', timestampField: 'ts' };
  const view = { name: 'v', entities: [], source, ...(ttl === undefined ? {} : { ttl }) };
  expect(parseDefinitions([{ value: { featureViews: [view] } }]).featureViews.get('v')?.ttlMs).toBe(null);
});

test('names defined twice, in one file or in two, are refused', () => {
  const value = { entities: [{ name: 'a', joinKeys: ['k'] }] };
  expect(
    problemsOf(() =>
      parseDefinitions([
        { value, file: 'one' },
        { value, file: 'two' },
      ]),
    ),
  ).toEqual(["two: entities.a: 'a' is defined twice"]);
});

test('column names may be anything, __proto__ included', () => {
  const text = `featureViews:
  - name: v
    source: { table: t.t, timestampField: ts, fieldMapping: { __proto__: a, "x\\"'*": b } }
`;
  const view = fromYaml(text).featureViews.get('v');
  expect([...(view?.source.fieldMapping ?? [])]).toEqual([
    ['__proto__', 'a'],
    ['x"\'*', 'b'],
  ]);
});

test.each([
  ['90s', 90_000n],
  ['6h', 21_600_000n],
  ['2d', 172_800_000n],
  ['1w', 604_800_000n],
  ['250ms', 250n],
  ['PT6H', 21_600_000n],
  ['P1DT12H', 129_600_000n],
  ['PT0.5S', 500n],
  ['P1M', undefined],
  ['P', undefined],
  ['PT', undefined],
  ['6', undefined],
  ['-1h', undefined],
])('duration %s', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

describe('against the source table', () => {
  test('types are promoted as declared, and keys, timestamps and features are found by name', () => {
    const view = resolveView(fromYaml(YAML), 'airport_delay', HOURLY);
    expect(view).toMatchObject({
      joinKeys: [{ name: 'origin', sourceColumn: 'origin', sourceFieldId: 1, type: { kind: 'string' } }],
      timestamp: { sourceFieldId: 2 },
      created: { sourceFieldId: 3 },
      features: [{ name: 'mean_delay', sourceFieldId: 4, type: { kind: 'double' } }],
      ttlUs: 21_600_000_000n,
    });
  });

  test('without a list, every other column is a feature, under its mapped name', () => {
    const definitions = parseDefinitions([
      {
        value: {
          entities: [{ name: 'airport', joinKeys: ['airport'] }],
          featureViews: [
            {
              name: 'v',
              entities: ['airport'],
              source: {
                table: 'd.t',
                timestampField: 'event_ts',
                fieldMapping: { origin: 'airport', flights: 'departures' },
              },
            },
          ],
        },
      },
    ]);
    const view = resolveView(definitions, 'v', HOURLY);
    expect(view.joinKeys.map((key) => [key.name, key.sourceColumn])).toEqual([['airport', 'origin']]);
    expect(view.features.map((feature) => [feature.name, feature.sourceColumn])).toEqual([
      ['created', 'created'],
      ['mean_delay', 'mean_delay'],
      ['departures', 'flights'],
    ]);
  });

  test('the hash changes with what is materialized and with nothing else', () => {
    const hash = (change: object) => {
      const view = {
        name: 'v',
        entities: ['airport'],
        source: { table: 'd.t', timestampField: 'event_ts' },
        ...change,
      };
      const value = { entities: [{ name: 'airport', joinKeys: ['origin'] }], featureViews: [view] };
      const definitions = parseDefinitions([{ value }]);
      return resolveView(definitions, [...definitions.featureViews.keys()][0] ?? '', HOURLY).definitionHash;
    };
    const base = hash({});
    for (const same of [{ name: 'w' }, { tags: { a: 'b' } }, { description: 'd' }, { ttl: '1h' }, { online: true }]) {
      expect(hash(same)).toBe(base);
    }
    const changes = [
      { features: ['flights'] },
      { source: { table: 'd.u', timestampField: 'event_ts' } },
      { source: { table: 'd.t', timestampField: 'created' } },
      { source: { table: 'd.t', timestampField: 'event_ts', createdTimestampField: 'created' } },
      { source: { table: 'd.t', timestampField: 'event_ts', fieldMapping: { flights: 'f' } } },
      { entities: [] },
    ];
    expect(new Set([base, ...changes.map(hash)]).size).toBe(changes.length + 1);
  });

  test('missing tables and columns, types that do not fit and keys that cannot be keys, all at once', async () => {
    const value = {
      entities: [
        { name: 'airport', joinKeys: ['orgin'] },
        { name: 'measure', joinKeys: ['mean_delay'] },
      ],
      featureViews: [
        { name: 'a', entities: ['airport', 'measure', 'airprot'], source: { table: 'd.t', timestampField: 'flights' } },
        {
          name: 'b',
          source: { table: 'd.t', timestampField: 'event_ts' },
          features: [{ name: 'flights', type: 'int' }, 'mean_dealy', 'event_ts'],
        },
        { name: 'c', source: { table: 'd.missing', timestampField: 'x' } },
      ],
      featureServices: [{ name: 's', features: ['b:flihgts'] }],
    };
    const load = (table: string) =>
      table === 'd.t'
        ? Promise.resolve(HOURLY)
        : Promise.reject(new MoraineError('TABLE_NOT_FOUND', `no table ${table}`));
    const error = await validateSources(parseDefinitions([{ value }]), load).catch((thrown: unknown) => thrown);
    expect((error as MoraineError).details.problems).toEqual([
      "featureViews.a.entities.airport: Table d.t has no column 'orgin'. Did you mean 'origin'?",
      "featureViews.a.entities.measure: Join key 'mean_delay' is of type float; floating-point and nested types cannot be join keys.",
      "featureViews.a.entities: There is no entity 'airprot'. Did you mean 'airport'?",
      "featureViews.a.source.timestampField: Column 'flights' of d.t is of type long, not a timestamp.",
      "featureViews.b.features.flights: Column 'flights' of d.t is of type long, not int.",
      "featureViews.b.features.mean_dealy: Table d.t has no column 'mean_dealy'. Did you mean 'mean_delay'?",
      "featureViews.b.features.event_ts: 'event_ts' is a join key or timestamp of the view and cannot be a feature too.",
      'featureViews.c.source.table: no table d.missing',
      "featureServices.s.features.b: Feature view 'b' has no feature 'flihgts'. Did you mean 'flights'?",
    ]);
  });
});
