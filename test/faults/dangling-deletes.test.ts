/** Deletes of what is not there: of data files that have left the table and the disk, and of rows that never were. No error, no other row taken. */
import { unlinkSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseTableName } from '../../catalogs/index.js';
import { prepareScan } from '../../cli/scan-table.js';
import { getHistoricalFeatures } from '../../features/index.js';
import type { DataFile } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { commitOverwrite, planFiles, selectSnapshot } from '../../tables/index.js';
import { DeleteWriter } from '../support/delete-writer.js';
import { Lab, SOURCE } from '../support/materialization-lab.js';

let lab: Lab;
let writer: DeleteWriter;
/** The file with the rows of entities 1 and 2, and that of 2 and 3. */
let old: string;
let kept: string;
beforeEach(async () => {
  lab = await Lab.open();
  writer = new DeleteWriter(lab, parseTableName(SOURCE).identifier);
  await lab.createSource();
  await lab.append([
    { k: 1, at: 10, v: 1 },
    { k: 2, at: 10, v: 2 },
  ]);
  [old = ''] = await dataFiles();
  await lab.append([
    { k: 2, at: 20, v: 3 },
    { k: 3, at: 20, v: 4 },
  ]);
  [kept = ''] = (await dataFiles()).filter((path) => path !== old);
});
afterEach(() => lab.close());

async function dataFiles(): Promise<readonly string[]> {
  const { metadata } = await lab.source();
  const { files } = await planFiles(await lab.source(), { ...selectSnapshot(metadata), appliesDeletes: true });
  return files.map(({ file }) => file.filePath);
}

/** Takes the old file out of the table by a commit that leaves delete files as they are, and from the disk. */
async function removeOldFile(): Promise<void> {
  await commitOverwrite(await lab.source(), { removeFiles: [old], files: [] });
  unlinkSync(old.replace(/^file:\/*/, '/'));
}

/** The rows that `table scan` reads: key and value. */
async function scan(): Promise<unknown[][]> {
  const table = await lab.source();
  const { snapshot, schema } = selectSnapshot(table.metadata);
  const selected = { ...schema, fields: schema.fields.filter(({ name }) => name === 'k' || name === 'v') };
  return lab.engine.withConnection(async (connection) => {
    const { statement } = await prepareScan(connection, table, { snapshot, schema, selected, filter: undefined });
    return connection.rows(statement);
  });
}

type Deletes = () => Promise<readonly DataFile[]>;

/** Deletes first, then the file goes; a table of version 3 is only read here, so its file goes first. */
const deletedFirst = (make: Deletes) => async () => {
  await writer.commit(await make());
  await removeOldFile();
};
const goneFirst = (make: Deletes) => async () => {
  await removeOldFile();
  await writer.upgradeToV3();
  await writer.commit(await make());
};

/** The event, and the entities whose rows are live then. */
const KINDS: readonly (readonly [string, () => Promise<void>, readonly number[]])[] = [
  [
    'position deletes of the file alone',
    deletedFirst(async () => [await writer.positions([{ path: old, position: 0 }], { referencedDataFile: old })]),
    [2, 3],
  ],
  [
    'position deletes of it beside others',
    deletedFirst(async () => [await writer.positions([old, kept].map((path) => ({ path, position: 0 })))]),
    [3],
  ],
  ['a deletion vector of the file', goneFirst(() => writer.vectors([{ path: old, positions: [0, 1] }])), [2, 3]],
  [
    'vectors of it and of others in one file',
    goneFirst(() =>
      writer.vectors([
        { path: old, positions: [0] },
        { path: kept, positions: [1] },
      ]),
    ),
    [2],
  ],
  [
    'equality deletes of rows that have gone',
    deletedFirst(async () => [await writer.equality({ k: 1 }, 'SELECT 1::BIGINT AS k')]),
    [2, 3],
  ],
  [
    'equality deletes of rows that never were',
    deletedFirst(async () => [
      await writer.equality({ k: 1, v: 4 }, 'FROM (VALUES (77::BIGINT, 3::DOUBLE), (3, 77), (NULL, 4)) AS t(k, v)'),
    ]),
    [2, 3],
  ],
];

const VALUES: Readonly<Record<number, number>> = { 2: 3, 3: 4 };

it.each(KINDS)('%s', async (_name, happens, live) => {
  const view = lab.view.name;
  await happens();
  expect(await dataFiles()).toEqual([kept]);
  expect(await scan()).toEqual(live.map((k) => [BigInt(k), VALUES[k]]));
  const rows = [1, 2, 3].map((k) => ({ k, event_timestamp: '1970-01-01T00:01:00Z' }));
  const values = await getHistoricalFeatures(
    lab.deps,
    { features: [`${view}:v`], entities: { rows } },
    async (answer) => (await answer.connection.rows(answer.select)).map((row) => row[2]),
  );
  expect(values).toEqual([1, 2, 3].map((k) => (live.includes(k) ? VALUES[k] : null)));
  await materializeDirect(lab.deps, { view });
  const online = await lab.query(await lab.online(), 'SELECT k, v FROM rows ORDER BY ALL');
  expect(online).toEqual(live.map((k) => [BigInt(k), VALUES[k]]));
});
