/** Nanoseconds with a zone, of a version 3 table whose files PyArrow wrote: exact in every output, in any time zone of the machine. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createMoraine } from '../../client/index.js';
import { jsonLines, type moraine, moraineOk } from '../support/cli.js';
import { describeInterop, python } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';

interface Row {
  readonly id: number;
  readonly at: string | null;
  readonly s: { readonly x: string | null; readonly l: readonly (string | null)[] | null } | null;
  readonly m: readonly (readonly [string, string | null])[] | null;
  readonly v: number;
  readonly late: string;
}

interface Written {
  readonly location: string;
  readonly rows: readonly Row[];
}

interface ReadBack {
  readonly types: Readonly<Record<string, string>>;
  readonly rows: readonly unknown[];
}

const ZONED = 'timestamp[ns, tz=UTC]';
const TYPES = {
  id: 'int64',
  at: ZONED,
  s: `struct<x: ${ZONED}, l: list<element: ${ZONED}>>`,
  m: `map<string, ${ZONED}>`,
  v: 'int64',
  late: ZONED,
};

/** ISO-8601 text as its count of nanoseconds; whole numbers only. */
function count(text: string | null): string | null {
  if (text === null) return null;
  const seconds = BigInt(Date.parse(`${text.slice(0, 19)}Z`)) / 1000n;
  return String(seconds * 1_000_000_000n + BigInt(text.slice(20, 29)));
}

/** A row as the Python program reads it back. */
const counted = (row: Row): unknown => ({
  id: String(row.id),
  at: count(row.at),
  s: row.s && { x: count(row.s.x), l: row.s.l && row.s.l.map(count) },
  m: row.m && row.m.map(([key, text]) => [key, count(text)]),
  v: String(row.v),
  late: count(row.late),
});

const DEFINITIONS = `
entities: [{ name: thing, joinKeys: [v] }]
featureViews:
  - name: view
    entities: [thing]
    online: false
    source: { table: z.events, timestampField: at }
    features: [{ name: id, type: long }, { name: late, type: timestamptz_ns }]
`;

describeInterop('zoned nanoseconds', () => {
  const environment = { TZ: 'Asia/Kathmandu' };

  async function given() {
    const folder = temporaryFolder();
    const [catalog, warehouse] = [join(folder, 'catalog.db'), join(folder, 'warehouse')];
    writeFileSync(
      join(folder, 'moraine.yaml'),
      `catalogs: { local: { type: sql, uri: 'sqlite:///${catalog}', warehouse: ${warehouse} } }\nengine: { tempDirectory: temp }\n`,
    );
    const table = await python<Written>('zoned_nanoseconds.py', 'write', `sqlite:///${catalog}`, warehouse);
    const run = (...args: Parameters<typeof moraine>[0]): Promise<string> =>
      moraineOk(args, { cwd: folder, env: environment });
    const ids = async (where: string): Promise<unknown[]> => {
      const lines = await run('table', 'scan', 'z.events', '--columns', 'id', '--where', where);
      return jsonLines(lines).map((row) => (row as Row).id);
    };
    return { folder, table, run, ids };
  }

  it('are scanned exactly, in every format, and no copy is left', async () => {
    const { folder, table, run } = await given();
    expect(table.rows).toHaveLength(52);
    expect(jsonLines(await run('table', 'scan', 'z.events'))).toEqual(table.rows);
    expect(JSON.parse(await run('table', 'scan', 'z.events', '--format', 'json'))).toEqual(table.rows);
    const csv = (await run('table', 'scan', 'z.events', '--format', 'csv', '--columns', 'id,at')).split('\n');
    expect(csv).toEqual(['id,at', ...table.rows.map((row) => `${row.id},${row.at ?? ''}`), '']);
    for (const format of ['parquet', 'arrow']) {
      const output = join(folder, `out.${format}`);
      await run('table', 'scan', 'z.events', '--format', format, '--out', output);
      const read = await python<ReadBack>('zoned_nanoseconds.py', 'read', output, format);
      expect(read, format).toEqual({ types: TYPES, rows: table.rows.map(counted) });
    }
    expect(readdirSync(join(folder, 'temp'))).toEqual([]);
  });

  it('are filtered exactly', async () => {
    const { ids } = await given();
    for (const [where, expected] of [
      ["at = TIMESTAMP '2023-11-14T22:13:20.123456799Z'", [10]],
      ["at IN (TIMESTAMP '1969-12-31T23:59:59.999999999', TIMESTAMP '1970-01-01T00:00:00.000000001Z')", [107, 109]],
      ["at = TIMESTAMP '2023-11-14T22:13:20.123456'", [200]],
      ["at <= TIMESTAMP '1677-09-21T00:12:43.145224193'", [102, 103]],
      ["at >= TIMESTAMP '2262-04-11T23:47:16.854775807'", [100]],
      ["s.x = TIMESTAMP '1916-02-18T01:46:39.876543210'", [1]],
      ["late = TIMESTAMP '2001-02-03T04:05:06.000000007' AND id = 200", [200]],
    ] as const) {
      expect(await ids(where), where).toEqual(expected);
    }
  });

  it('decide a point-in-time join to the nanosecond', async () => {
    const { folder, run } = await given();
    writeFileSync(join(folder, 'definitions.yaml'), DEFINITIONS);
    await run('apply', 'definitions.yaml');
    // Of v = 1, row 1 lies at ...790 and is the first, row 3 at ...792.
    const times = [
      '2023-11-14T22:13:20.123456791Z',
      '2023-11-14T22:13:20.123456792Z',
      '2023-11-14T22:13:20.123456789Z',
    ];
    const moraine = await createMoraine({ cwd: folder });
    try {
      const { table } = await moraine.getHistoricalFeatures({
        features: ['view:id', 'view:late'],
        entities: times.map((at) => ({ v: 1, event_timestamp: at })),
      });
      expect([...(table.getChild('id') ?? [])]).toEqual([1n, 3n, null]);
      const late = table.getChild('late')?.data.flatMap((data) => [...(data.values as BigInt64Array)]);
      // The third is null, whatever its place holds.
      expect(late?.slice(0, 2)).toEqual([981_173_106_000_000_007n, 981_173_106_000_000_007n]);
    } finally {
      await moraine.close();
    }
    writeFileSync(join(folder, 'entities.csv'), 'v,event_timestamp\n1,2023-11-14T22:13:20.123457Z\n');
    expect(await run('features', 'historical', '--features', 'view:id,view:late', '--entities', 'entities.csv')).toBe(
      '{"v":1,"event_timestamp":"2023-11-14T22:13:20.123457Z","id":39,"late":"2001-02-03T04:05:06.000000007Z"}\n',
    );
    expect(readdirSync(join(folder, 'temp'))).toEqual([]);
  });
});
