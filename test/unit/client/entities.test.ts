/** Entity rows in every form that the library takes, against one view. */
import {
  makeData,
  Table,
  Timestamp,
  TimestampMicrosecond,
  TimeUnit,
  tableFromArrays,
  tableToIPC,
  Vector,
  vectorFromArray,
} from 'apache-arrow';
import { beforeAll, expect, test } from 'vitest';
import { defineEntity, defineFeatureView, type Entities } from '../../../index.js';
import { filesProject } from '../../support/files-project.js';

const project = filesProject();
const { file } = project;
beforeAll(async () => {
  await project.moraine.appendFile(
    'a.f',
    file('f.csv', 'k,at,v\n1,2001-01-01T00:00:00Z,10\n2,2001-01-02T00:00:00Z,20\n'),
    {
      create: true,
    },
  );
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  await project.moraine.apply([
    thing,
    defineFeatureView({ name: 'values', entities: [thing], source: { table: 'a.f', timestampField: 'at' } }),
  ]);
  await project.moraine.appendFile('a.frame', file('frame.csv', ROWS), { create: true });
});
const ROWS = 'k,event_timestamp,label\n2,2001-01-03T00:00:00Z,x\n1,2000-12-31T00:00:00Z,y\n1,2001-01-01T00:00:00Z,z\n';

function arrow(): Table {
  const dates = ['2001-01-03', '2000-12-31', '2001-01-01'].map((day) => BigInt(Date.parse(day)) * 1000n);
  const base = tableFromArrays({ k: BigInt64Array.from([2n, 1n, 1n]), label: ['x', 'y', 'z'] });
  const time = vectorFromArray(
    dates.map((us) => Number(us) / 1000),
    new TimestampMicrosecond('UTC'),
  );
  return new Table({ ...vectors(base), event_timestamp: time });
}

function vectors(table: Table) {
  const [k, label] = [table.getChild('k'), table.getChild('label')];
  if (k === null || label === null) throw new Error('a column is missing');
  return { k, label };
}

const LINES = ROWS.trimEnd()
  .split('\n')
  .slice(1)
  .map((line) => line.split(','))
  .map(([k, at, label]) => JSON.stringify({ k: Number(k), event_timestamp: at, label }));

const forms: readonly (readonly [string, () => Entities])[] = [
  ['objects', () => LINES.map((line) => JSON.parse(line) as EntityRow)],
  ['an Arrow table', arrow],
  ['an Arrow IPC stream', () => tableToIPC(arrow(), 'stream')],
  ['an Arrow IPC file', () => ({ file: file('frame.arrow', tableToIPC(arrow(), 'file')) })],
  ['a CSV file', () => ({ file: file('frame.csv', ROWS) })],
  ['a JSON Lines file', () => ({ file: file('frame.jsonl', `${LINES.join('\n')}\n`) })],
  ['a JSON file', () => ({ file: file('frame.json', `[${LINES.join(',\n')}]`) })],
  ['an Iceberg table', () => ({ table: 'a.frame' })],
  ['SQL', () => ({ sql: 'SELECT * FROM f ORDER BY label', tables: { f: 'a.frame' } })],
];

type EntityRow = Readonly<Record<string, string | number>>;

test.each(forms)('%s', async (_name, entities) => {
  const { table } = await project.moraine.getHistoricalFeatures({ features: ['values'], entities: entities() });
  const found = table.toArray() as Record<string, unknown>[];
  const rows = found.map((row) => [row['k'], Number(row['event_timestamp']), row['label'], row['v']]);
  expect(rows.map((row) => row.map(String))).toEqual([
    ['2', String(Date.parse('2001-01-03')), 'x', '20'],
    ['1', String(Date.parse('2000-12-31')), 'y', 'null'],
    ['1', String(Date.parse('2001-01-01')), 'z', '10'],
  ]);
});

/** Entity rows whose time is so many nanoseconds after the feature row of entity 1, in a zone of the Arrow type. */
function nanosecondFrame(zone: string | null, ...after: readonly bigint[]): Table {
  const at = BigInt(Date.parse('2001-01-01')) * 1_000_000n;
  const data = BigInt64Array.from(after, (ns) => at + ns);
  const type = new Timestamp(TimeUnit.NANOSECOND, zone);
  const k = tableFromArrays({ k: BigInt64Array.from(after, () => 1n) }).getChild('k') as Vector;
  return new Table({ k, event_timestamp: new Vector([makeData({ type, length: data.length, data })]) });
}

test.each([
  ['UTC', 'Timestamp<NANOSECOND, UTC>'],
  ['Asia/Kathmandu', 'Timestamp<NANOSECOND, UTC>'],
  [null, 'Timestamp<NANOSECOND>'],
])('nanoseconds of an Arrow table in zone %s are compared and given back exactly', async (zone, type) => {
  const frame = nanosecondFrame(zone, -1n, 0n, 1n, 999n);
  for (const entities of [frame, tableToIPC(frame, 'stream'), { file: file('ns.arrow', tableToIPC(frame, 'file')) }]) {
    const { table } = await project.moraine.getHistoricalFeatures({ features: ['values'], entities });
    const [times, values] = [table.getChild('event_timestamp') as Vector, table.getChild('v') as Vector];
    expect(String(times.type)).toBe(type);
    expect(times.data.flatMap((data) => [...(data.values as BigInt64Array).slice(0, data.length)])).toEqual(
      [-1n, 0n, 1n, 999n].map((ns) => 978_307_200_000_000_000n + ns),
    );
    expect([...values].map(String)).toEqual(['null', '10', '10', '10']);
  }
});

test.each([
  ['text', () => Buffer.from('no arrow at all')],
  ['nothing', () => new Uint8Array()],
  ['a cut file', () => ({ file: file('cut.arrow', tableToIPC(arrow(), 'file').subarray(0, 100)) })],
])('bytes that are not Arrow IPC are refused: %s', async (_name, entities) => {
  const asked = project.moraine.getHistoricalFeatures({ features: ['values'], entities: entities() });
  await expect(asked).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
});

test('a damaged Parquet file of entity rows is the input, a damaged file of the table is not', async () => {
  const path = file('frame.parquet', 'PAR1 no more PAR1');
  const asked = project.moraine.getHistoricalFeatures({ features: ['values'], entities: { file: path } });
  await expect(asked).rejects.toMatchObject({
    code: 'INPUT_UNREADABLE',
    message: expect.stringContaining(path) as string,
  });
});
