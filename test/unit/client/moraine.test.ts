import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMoraine, defineEntity, defineFeatureView, type Moraine, parseSchema } from '../../../index.js';

let folder: string;
let moraine: Moraine;
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-client-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
});
afterEach(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function tableOf(...fields: readonly [name: string, type: string, required?: boolean][]): Promise<void> {
  const schema = parseSchema({
    type: 'struct',
    'schema-id': 0,
    fields: fields.map(([name, type, required = false], index) => ({ id: index + 1, name, type, required })),
  });
  await moraine.createTable('a.t', { schema });
}

/** Columns of a table's data files as DuckDB prints them. */
async function readBack(table: string, columns: string): Promise<unknown[][]> {
  const { metadata } = await moraine.project.loadTable(table);
  const engine = await moraine.project.engine();
  const files = `${metadata.location.replace(/^file:(\/\/)?/, '')}/data/**/*.parquet`;
  const texts = columns.split(', ').map((column) => `"${column}"::VARCHAR`);
  return engine.withConnection((connection) =>
    connection.rows(`SELECT ${texts.join(', ')} FROM read_parquet('${files}')`),
  );
}

describe('appending a file', () => {
  it('commits once, and not at all without rows', async () => {
    const first = await moraine.appendFile('a.t', file('x.csv', 'id\n1\n2\n'), { create: true });
    expect(first).toMatchObject({ created: true, rows: 2n, files: 1 });
    const empty = await moraine.appendFile('a.t', file('y.csv', 'id\n'));
    expect(empty).toEqual({ created: false, rows: 0n, files: 0, bytes: 0n, snapshotId: null });
    const { metadata } = await moraine.project.loadTable('a.t');
    expect(metadata.snapshots.map(({ snapshotId }) => snapshotId)).toEqual([first.snapshotId]);
  });

  it.each([
    ['int', '3000000000\n7', 'column "v", line 2: "3000000000" does not fit int exactly'],
    ['long', '2\n1.5\n2.5', 'column "v", line 3: "1.5" does not fit long exactly (2 such values)'],
    ['boolean', '1\n0', 'column "v", line 2: "1" does not fit boolean exactly (2 such values)'],
  ])('refuses values that would change in a column of type %s, and writes nothing', async (type, values, message) => {
    await tableOf(['v', type]);
    await expect(moraine.appendFile('a.t', file('x.csv', `v\n${values}\n`))).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message,
    });
    expect((await moraine.project.loadTable('a.t')).metadata.currentSnapshotId).toBeNull();
  });

  it('reads the columns of a CSV file with the types of the table', async () => {
    await tableOf(['code', 'string'], ['amount', 'decimal(9,2)'], ['at', 'timestamptz']);
    await moraine.appendFile('a.t', file('x.csv', 'at,code,amount\n2001-01-01,007,5\n,8,1.10\n'));
    expect(await readBack('a.t', 'code, amount, at')).toEqual([
      ['007', '5.00', '2001-01-01 00:00:00+00'],
      ['8', '1.10', null],
    ]);
  });

  it('names the first value of a Parquet file that would change', async () => {
    await tableOf(['v', 'int'], ['d', 'date'], ['t', 'long']);
    const path = join(folder, 'x.parquet');
    const engine = await moraine.project.engine();
    await engine.withConnection((connection) =>
      connection.run(`COPY (SELECT * FROM (VALUES (1::BIGINT, TIMESTAMP '2001-01-01', '1'),
        (3000000000, TIMESTAMP '2001-01-01 00:00:01', '1.5')) AS x(v, d, t)) TO '${path}' (FORMAT parquet)`),
    );
    await expect(moraine.appendFile('a.t', path)).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message: 'column "t", row 2: "1.5" does not fit long exactly',
    });
    await engine.withConnection((connection) =>
      connection.run(
        `COPY (SELECT 3000000000 AS v, TIMESTAMP '2001-01-01 00:00:01' AS d) TO '${path}' (FORMAT parquet)`,
      ),
    );
    await expect(moraine.appendFile('a.t', path)).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      message:
        'column "v": 3000000000 (long) does not fit int exactly\n' +
        'column "d": 2001-01-01 00:00:01 (timestamp) does not fit date exactly',
    });
  });

  it('refuses nulls and missing columns where a value is required', async () => {
    await tableOf(['id', 'long', true], ['v', 'long']);
    await expect(moraine.appendFile('a.t', file('x.csv', 'id,v\n1,1\n,2\n'))).rejects.toMatchObject({
      message: 'column "id": 1 nulls, but the column is required',
    });
    await expect(moraine.appendFile('a.t', file('y.csv', 'v\n1\n'))).rejects.toMatchObject({
      message: 'the file lacks the column "id", which is required',
    });
  });
});

describe('the library', () => {
  it('applies typed definitions and retrieves features at a time', async () => {
    await moraine.appendFile('a.f', file('f.csv', 'k,at,v\n1,2001-01-01T00:00:00Z,10\n1,2001-01-02T00:00:00Z,20\n'), {
      create: true,
    });
    const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
    const view = defineFeatureView({
      name: 'values',
      entities: [thing],
      source: { table: 'a.f', timestampField: 'at' },
      features: ['v'],
    });
    await moraine.apply([thing, view]);
    const { table, snapshots } = await moraine.getHistoricalFeatures({
      features: [view.feature('v')],
      entities: [
        { k: 1, event_timestamp: new Date('2001-01-01T12:00:00Z') },
        { k: 1, event_timestamp: new Date('2001-01-03T00:00:00Z') },
        { k: 2, event_timestamp: new Date('2001-01-03T00:00:00Z') },
      ],
    });
    expect([...(table.getChild('v') ?? [])]).toEqual([10n, 20n, null]);
    expect([...snapshots.keys()]).toEqual(['a.f']);
    await expect(
      moraine.apply([
        defineFeatureView({ name: 'bad', entities: [thing], source: { table: 'a.f', timestampField: 'nope' } }),
      ]),
    ).rejects.toMatchObject({
      code: 'DEFINITION_INVALID',
    });
  });

  it('reads join keys of a CSV frame as the type that the view gives them', async () => {
    await tableOf(['code', 'string'], ['at', 'timestamptz'], ['v', 'long']);
    await moraine.appendFile(
      'a.t',
      file('t.csv', 'code,at,v\n007,2001-01-01T00:00:00Z,10\n7,2001-01-01T00:00:00Z,20\n'),
    );
    const agent = defineEntity({ name: 'agent', joinKeys: ['code'] });
    const source = { table: 'a.t', timestampField: 'at' };
    const view = defineFeatureView({ name: 'values', entities: [agent], source, features: ['v'] });
    await moraine.apply([agent, view]);
    const frame = file('frame.csv', 'code,event_timestamp\n7,2001-01-02T00:00:00Z\n007,2001-01-02T00:00:00Z\n');
    const { table } = await moraine.getHistoricalFeatures({ features: ['values:v'], entities: { file: frame } });
    expect([...(table.getChild('v') ?? [])]).toEqual([20n, 10n]);
  });
});
