/**
 * Tables with identity partitions that PyIceberg wrote. Their files lie in folders `COLUMN=VALUE`, where an engine that reads folder names
 * finds other values, or of another type, than the files have.
 */
import { isLosslessNumber, parse } from 'lossless-json';
import { expect, inject, it, onTestFinished } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine } from '../../index.js';
import { type CompactRequest, compactDirect } from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { compactDeps, materializationDeps } from '../../project/index.js';
import { describeInterop, python } from '../support/python.js';
import { scanRows } from '../support/scan-rows.js';
import { readTables } from '../support/spark-readers.js';
import { temporaryFolder } from '../support/temp-folder.js';

type Row = Readonly<Record<string, unknown>>;

const FLOATS: ReadonlySet<string> = new Set(['f', 'x']);

/** A value as `write_identity_partitions.py` prints it. */
function textOf(column: string, value: unknown): unknown {
  if (value === null || typeof value === 'boolean') return value;
  const { float, decimal } = value as { readonly float?: string; readonly decimal?: string };
  const text = isLosslessNumber(value) ? value.value : (float ?? decimal ?? (value as string));
  if (!FLOATS.has(column)) return text;
  return Object.is(Number(text), -0) ? '-0' : String(Number(text));
}

const canonical = (rows: readonly Row[]): string[] =>
  rows
    .map((row) => JSON.stringify(Object.entries(row).map(([column, value]) => [column, textOf(column, value)])))
    .sort();

const locationOf = async (moraine: Moraine, table: string): Promise<string> =>
  (await moraine.project.loadTable(table)).metadataLocation.replace(/^file:\/\//, '');

async function scan(moraine: Moraine, table: string): Promise<string[]> {
  const lines = await scanRows(await locationOf(moraine, table), {});
  return canonical(lines.map((line) => parse(line) as Row));
}

async function open(): Promise<{
  readonly moraine: Moraine;
  readonly written: Readonly<Record<string, readonly Row[]>>;
}> {
  const folder = temporaryFolder();
  const [uri, warehouse] = [`sqlite:///${folder}/catalog.db`, `${folder}/warehouse`];
  const written = await python<Record<string, readonly Row[]>>('write_identity_partitions.py', uri, warehouse);
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 2 } };
  const moraine = await createMoraine({ config, cwd: folder });
  onTestFinished(() => moraine.close());
  return { moraine, written };
}

const keyOf = defineEntity({ name: 'text', joinKeys: ['v'] });
const numbers = defineEntity({ name: 'numbers', joinKeys: ['i', 'l', 'day'] });
const VIEWS = [
  defineFeatureView({
    name: 'texts',
    entities: [keyOf],
    source: { table: 'p.texts', timestampField: 'at' },
    online: true,
  }),
  defineFeatureView({
    name: 'typed',
    entities: [numbers],
    source: { table: 'p.typed', timestampField: 'at' },
    features: ['id', 'b', 'x', 'ts'],
    online: true,
  }),
];

/** Keys of the table `p.typed`, with what other columns must be: timestamps in microseconds since 1970. */
const TYPED = [
  [{ i: -7, l: -9223372036854775808n, day: '1969-12-31' }, [1n, true, -0, -1n]],
  [{ i: 0, l: 9007199254740993n, day: '2001-02-03' }, [2n, false, 1e300, 978_307_200_000_000n]],
] as const;

/** Each is for every third table. */
const COMPACTIONS: readonly Omit<CompactRequest, 'table'>[] = [
  { strategy: 'binpack', targetSizeBytes: 230 },
  { strategy: 'sort', columns: ['id'] },
  { strategy: 'sort', columns: ['id', 'at'], zOrder: true, targetSizeBytes: 300 },
];

describeInterop('tables with identity partitions by PyIceberg', () => {
  it('are scanned as they were written, whatever their folders are called', async () => {
    const { moraine, written } = await open();
    for (const [table, rows] of Object.entries(written)) {
      expect.soft(await scan(moraine, table), table).toEqual(canonical(rows));
    }
  });

  it('are read by keys, deleted from and compacted with the values that their files have', async () => {
    const { moraine, written } = await open();
    await moraine.apply([keyOf, numbers, ...VIEWS]);
    const texts = (written['p.texts'] ?? []).filter(({ v }) => v !== null);
    const keys = texts.map(({ v }) => ({ v: String(v) }));
    const ids = texts.map(({ id }) => BigInt(String(id)));
    const at = new Date('2001-02-01');
    const frame = keys.map((key) => ({ ...key, event_timestamp: at }));
    const { table } = await moraine.getHistoricalFeatures({ features: ['texts:id'], entities: frame });
    expect([...table].map((row) => (row as { readonly id: unknown } | null)?.id)).toEqual(ids);

    const deps = await materializationDeps(moraine.project);
    for (const view of ['texts', 'typed']) await materializeDirect(deps, { view });
    const online = { readTimeoutMs: 60_000 };
    const served = await moraine.getOnlineFeatures({ ...online, features: ['texts:id'], entities: keys });
    expect(served.rows.map(([id]) => id?.value)).toEqual(ids);
    const typed = await moraine.getOnlineFeatures({
      ...online,
      features: ['typed:id', 'typed:b', 'typed:x', 'typed:ts'],
      entities: TYPED.map(([key]) => key),
    });
    expect(typed.rows.map((row) => row.map(({ value }) => value))).toEqual(TYPED.map(([, values]) => values));

    const gone = ['-0', 'null', '__HIVE_DEFAULT_PARTITION__', 'a b'];
    const condition = gone.map((text) => `v = '${text}'`).join(' OR ');
    expect(await moraine.deleteRows('p.texts', condition)).toMatchObject({ rows: 4n });
    const rowsOf = (name: string): readonly Row[] =>
      (written[name] ?? []).filter(({ v }) => name !== 'p.texts' || !gone.includes(String(v)) || v === null);
    expect(await scan(moraine, 'p.texts')).toEqual(canonical(rowsOf('p.texts')));

    const names = Object.keys(written).filter((name) => name !== 'p.fixed');
    for (const name of ['p.dropped_v1', 'p.void_alone']) await moraine.upgradeTable(name, 2);
    const locations: [string, string][] = [];
    const compaction = await compactDeps(moraine.project);
    for (const [index, name] of names.entries()) {
      const request = { strategy: 'binpack', ...COMPACTIONS[index % COMPACTIONS.length], table: name } as const;
      const { filesRemoved } = await compactDirect(compaction, request);
      expect.soft([request, filesRemoved > 0]).toEqual([request, true]);
      locations.push([name, await locationOf(moraine, name)]);
    }
    const reads = await readTables(
      inject('python') ?? '',
      'pyiceberg',
      locations.map(([, location]) => location),
    );
    for (const [index, { rows, error }] of reads.entries()) {
      const name = locations[index]?.[0] ?? '';
      expect.soft([error, canonical(rows ?? [])], name).toEqual([undefined, canonical(rowsOf(name))]);
    }
  });
});
