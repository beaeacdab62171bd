/**
 * Files without field ids (written outside Iceberg, then imported) are read by `schema.name-mapping.default` everywhere: by
 * scans, point-in-time retrieval and materialization. Source: Apache Iceberg specification, "Column Projection".
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { quoteLiteral } from '../../engine/index.js';
import { currentSchema, type DataFile } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, openProject, type Project } from '../../project/index.js';
import { commitAppend, loadTable } from '../../tables/index.js';
import { moraineOk } from '../support/cli.js';
import { putFile } from '../support/put-file.js';
import { temporaryFolder } from '../support/temp-folder.js';

// Each command is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

const ID = { namespace: ['t'], name: 'rows' };

/** The names that the old files have; two columns have exchanged theirs since. */
const MAPPING = [
  { 'field-id': 1, names: ['key', 'k'] },
  { 'field-id': 2, names: ['at', 'event_ts'] },
  { 'field-id': 3, names: ['b'] },
  { 'field-id': 4, names: ['a'] },
  { 'field-id': 5, names: ['s'], fields: [{ 'field-id': 6, names: ['old'] }] },
];
const FIELDS = [
  { id: 1, name: 'k', type: 'long' },
  { id: 2, name: 'event_ts', type: 'timestamptz' },
  { id: 3, name: 'a', type: 'long' },
  { id: 4, name: 'b', type: 'long' },
  { id: 5, name: 's', type: { type: 'struct', fields: [{ id: 6, name: 'new', type: 'string', required: false }] } },
].map((field) => ({ ...field, required: false }));

/** Writes a plain Parquet file and adds it to the table as it is. */
async function addFile(project: Project, name: string, select: string): Promise<void> {
  const table = await loadTable(await project.catalog(), project.io, ID);
  const path = `${table.metadata.location}/data/${name}`;
  const engine = await project.engine();
  let rows: unknown;
  const fileSizeInBytes = await putFile(project.io, path, async (to) => {
    const copy = `COPY (${select}) TO ${quoteLiteral(to)} (FORMAT parquet)`;
    rows = (await engine.withConnection((connection) => connection.rows(copy)))[0]?.[0];
  });
  const file: DataFile = {
    content: 'data',
    filePath: path,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: BigInt(String(rows)),
    fileSizeInBytes,
  };
  await commitAppend(table, { files: [file] });
}

it('reads imported files by their name mapping', async () => {
  const folder = temporaryFolder();
  await writeFile(join(folder, 'moraine.yaml'), '');
  await writeFile(join(folder, 'schema.json'), JSON.stringify({ type: 'struct', 'schema-id': 0, fields: FIELDS }));
  await writeFile(
    join(folder, 'definitions.yaml'),
    'entities: [{ name: thing, joinKeys: [k] }]\nfeatureViews: [{ name: view, entities: [thing], online: true, ' +
      'source: { table: t.rows, timestampField: event_ts }, features: [a, b, s] }]\n',
  );
  await writeFile(
    join(folder, 'entities.csv'),
    'k,event_timestamp\n1,2001-01-01T00:30:00Z\n1,2001-01-01T02:00:00Z\n2,2001-01-01T02:00:00Z\n',
  );
  // A row that Moraine writes, with field ids, beside the imported ones.
  await writeFile(
    join(folder, 'rows.jsonl'),
    '{"k": 2, "event_ts": "2001-01-01T01:00:00Z", "a": 21, "b": 22, "s": {"new": "two"}}\n',
  );
  const ok = (...args: string[]): Promise<string> => moraineOk(args, { cwd: folder });
  await ok('table', 'create', 't.rows', '--schema', 'schema.json');
  await ok('table', 'append', 't.rows', 'rows.jsonl');
  const project = await openProject({ cwd: folder });
  try {
    const catalog = await project.catalog();
    const updates = new Map([['schema.name-mapping.default', JSON.stringify(MAPPING)]]);
    await catalog.commitTable(ID, { requirements: [], updates: [{ action: 'set-properties', updates }] });
    expect(currentSchema((await catalog.loadTable(ID)).metadata).fields.map(({ name }) => name)).toContain('b');
    const at = (hour: number): string => `TIMESTAMPTZ '2001-01-01 0${hour}:00:00Z'`;
    await addFile(
      project,
      'one.parquet',
      `SELECT 1::BIGINT AS key, ${at(0)} AS at, 11::BIGINT AS b, 12::BIGINT AS a, {'old': 'one', 'x': 0} AS s`,
    );
    // An older layout: other names, other order, a column that nobody maps, one that is missing.
    await addFile(
      project,
      'two.parquet',
      `SELECT 99 AS unmapped, 14::BIGINT AS a, 13 AS b, ${at(1)} AS event_ts, 1 AS k`,
    );

    const rows = [
      '{"k":1,"event_ts":"2001-01-01T00:00:00.000000Z","a":11,"b":12,"s":{"new":"one"}}',
      '{"k":1,"event_ts":"2001-01-01T01:00:00.000000Z","a":13,"b":14,"s":null}',
      '{"k":2,"event_ts":"2001-01-01T01:00:00.000000Z","a":21,"b":22,"s":{"new":"two"}}',
    ];
    expect((await ok('table', 'scan', 't.rows')).trimEnd().split('\n').sort()).toEqual(rows);
    expect(await ok('table', 'scan', 't.rows', '--where', 'a = 13', '--columns', 'b')).toBe('{"b":14}\n');

    await ok('apply', 'definitions.yaml');
    expect(await ok('features', 'historical', '--features', 'view', '--entities', 'entities.csv')).toBe(
      '{"k":1,"event_timestamp":"2001-01-01T00:30:00.000000Z","a":11,"b":12,"s":{"new":"one"}}\n' +
        '{"k":1,"event_timestamp":"2001-01-01T02:00:00.000000Z","a":13,"b":14,"s":null}\n' +
        '{"k":2,"event_timestamp":"2001-01-01T02:00:00.000000Z","a":21,"b":22,"s":{"new":"two"}}\n',
    );
    await materializeDirect(await materializationDeps(project), { view: 'view' });
  } finally {
    await project.close();
  }
  const printed = await ok('online', 'get', 'view', '--entity', 'k=1', '--entity', 'k=2', '--json');
  const { results } = JSON.parse(printed) as { results: { features: Record<string, { value: unknown }> }[] };
  expect(results.map(({ features }) => Object.values(features).map(({ value }) => value))).toEqual([
    [13, 14, null],
    [21, 22, { new: 'two' }],
  ]);
});
