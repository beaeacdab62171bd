/** A table whose rows other engines deleted by delete files, as merge-on-read does: every reader leaves them out, none reads past damage. */
import { copyFileSync, truncateSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { parseTableName } from '../../catalogs/index.js';
import { getHistoricalFeatures } from '../../features/index.js';
import { currentSnapshot, type DataFile } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { commitOverwrite, planFiles, readSnapshotManifests, selectSnapshot } from '../../tables/index.js';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';
import { DeleteWriter } from '../support/delete-writer.js';
import { failureOf } from '../support/error-code.js';
import { Lab, SOURCE } from '../support/materialization-lab.js';
import { temporaryFolder } from '../support/temp-folder.js';

let lab: Lab;
let writer: DeleteWriter;
beforeEach(async () => {
  lab = await Lab.open();
  writer = new DeleteWriter(lab, parseTableName(SOURCE).identifier);
  await lab.createSource();
  await lab.append([
    { k: 1, at: 10, v: 1 },
    { k: 2, at: 20, v: 2 },
    { k: 1, at: 30, v: 3 },
  ]);
});
afterEach(() => lab.close());

async function dataFiles(): Promise<readonly string[]> {
  const { metadata } = await lab.source();
  const { files } = await planFiles(await lab.source(), { ...selectSnapshot(metadata), appliesDeletes: true });
  return files.map(({ file }) => file.filePath);
}

/** Each takes the newest row of the entity 1. */
const KINDS: readonly (readonly [string, () => Promise<readonly DataFile[]>])[] = [
  ['position deletes', async () => [await writer.positions([{ path: (await dataFiles())[0] ?? '', position: 2 }])]],
  ['equality deletes', async () => [await writer.equality({ v: 4 }, 'SELECT 3::DOUBLE AS v')]],
  [
    'deletion vectors',
    async () => {
      const [path = ''] = await dataFiles();
      await writer.upgradeToV3();
      return writer.vectors([{ path, positions: [2] }]);
    },
  ],
];

const historical = () =>
  getHistoricalFeatures(
    lab.deps,
    {
      features: [`${lab.view.name}:v`],
      entities: { rows: [1, 2, 3].map((k) => ({ k, event_timestamp: '1970-01-01T00:01:00Z' })) },
    },
    async (answer) => (await answer.connection.rows(answer.select)).map(([k, , v]) => [k, v]),
  );
const online = async () => lab.query(await lab.online(), 'SELECT k, v FROM rows ORDER BY ALL');
const materialize = async () => (await materializeDirect(lab.deps, { view: lab.view.name })).plan;

describe.each(KINDS)('%s', (_name, make) => {
  it('are left out by scans, historical features and a first materialization', async () => {
    await writer.commit(await make());
    expect(await historical()).toEqual([
      [1n, 1],
      [2n, 2],
      [3n, null],
    ]);
    await materialize();
    expect(await online()).toEqual([
      [1n, 1],
      [2n, 2],
    ]);
    const { metadataLocation } = await lab.source();
    const rows = await moraineOk(['table', 'scan', metadataLocation, '--columns', 'k,v', '--where', 'k = 1']);
    expect(jsonLines(rows)).toEqual([{ k: 1, v: 1 }]);
    expect(jsonLines(await moraineOk(['table', 'scan', metadataLocation, '--columns', 'k']))).toHaveLength(2);
  });

  it('that are new make the next materialization rebuild their bucket, which takes the deleted values back', async () => {
    await materialize();
    expect(await online()).toEqual([
      [1n, 3],
      [2n, 2],
    ]);
    await writer.commit(await make());
    expect((await materialize()).kind).toBe('rebuild-buckets');
    expect(await online()).toEqual([
      [1n, 1],
      [2n, 2],
    ]);
    expect((await materialize()).kind).toBe('nothing');
  });

  it('that lie outside the storage roots are refused, wherever they are named', async () => {
    const files = await make();
    const outside = temporaryFolder();
    const moved = files.map((file) => {
      const filePath = join(outside, basename(file.filePath));
      copyFileSync(file.filePath.replace(/^file:\/*/, '/'), filePath);
      return { ...file, filePath };
    });
    await writer.commit(moved);
    expect(await failureOf(historical())).toMatchObject({ code: 'LOCATION_REFUSED' });
    expect(await failureOf(materialize())).toMatchObject({ code: 'LOCATION_REFUSED' });
    const scan = await moraine(['table', 'scan', (await lab.source()).metadataLocation]);
    expect(scan).toMatchObject({ code: 5, stdout: '' });
    expect(scan.stderr).toContain('[LOCATION_REFUSED]');
  });
});

test('rows appended after the deletes are materialized incrementally, the deleted ones stay gone', async () => {
  await writer.commit([await writer.equality({ k: 1 }, 'SELECT 1::BIGINT AS k')]);
  await materialize();
  await lab.append([{ k: 1, at: 5, v: 7 }]);
  expect((await materialize()).kind).toBe('incremental');
  expect(await online()).toEqual([
    [1n, 7],
    [2n, 2],
  ]);
  expect(await historical()).toEqual([
    [1n, 7],
    [2n, 2],
    [3n, null],
  ]);
});

test('buckets that an overwrite touches are rebuilt from the rows that are live', async () => {
  await lab.append([{ k: 1, at: 40, v: 9 }]);
  await writer.commit([await writer.equality({ v: 4 }, 'SELECT 3::DOUBLE AS v')]);
  await materialize();
  // The file with the newest row of entity 1 goes, by an overwrite that knows nothing of the deletes.
  const [newest = ''] = await dataFiles();
  await commitOverwrite(await lab.source(), { removeFiles: [newest], files: [] });
  expect((await materialize()).kind).toBe('rebuild-buckets');
  expect(await online()).toEqual([
    [1n, 1],
    [2n, 2],
  ]);
});

test('table files lists the delete files, and which data files they apply to', async () => {
  const [path = ''] = await dataFiles();
  const deletes = await writer.positions([{ path, position: 0 }]);
  await writer.commit([deletes]);
  const { metadataLocation } = await lab.source();
  const listed = jsonLines(await moraineOk(['table', 'files', metadataLocation, '--json']));
  expect(listed).toMatchObject([
    { content: 'data', path, rows: 3, deletedBy: [deletes.filePath] },
    { content: 'position-deletes', path: deletes.filePath, rows: 1 },
  ]);
});

test('the state before the deletion is still read', async () => {
  const before = (await lab.source()).metadata.currentSnapshotId;
  await writer.commit([await writer.equality({ k: 1 }, 'SELECT 1::BIGINT AS k')]);
  const { metadataLocation } = await lab.source();
  const old = await moraineOk(['table', 'scan', metadataLocation, '--snapshot', String(before), '--columns', 'k']);
  expect(jsonLines(old)).toHaveLength(3);
});

test('appending to such a table keeps its delete files', async () => {
  const manifest = await writer.commit([await writer.equality({ k: 1 }, 'SELECT 1::BIGINT AS k')]);
  await lab.append([{ k: 3, at: 30, v: 3 }]);
  const loaded = await lab.source();
  const listed = await readSnapshotManifests(loaded.io, currentSnapshot(loaded.metadata));
  const deletes = listed.filter(({ content }) => content === 'deletes').map(({ manifestPath }) => manifestPath);
  expect(deletes).toEqual([manifest]);
});

describe('a delete file that is damaged or missing', () => {
  it.each([
    ['missing', (path: string) => unlinkSync(path), 'FILE_NOT_FOUND'],
    ['cut', (path: string) => truncateSync(path, 30), 'DELETE_FILE_CORRUPT'],
  ])('%s: no reader gives a row, nothing is committed, the error names the file', async (_name, act, code) => {
    await materialize();
    const before = (await lab.online()).metadata.currentSnapshotId;
    const deletes = await writer.positions([{ path: (await dataFiles())[0] ?? '', position: 2 }]);
    await writer.commit([deletes]);
    act(deletes.filePath);
    for (const failure of [await failureOf(historical()), await failureOf(materialize())]) {
      expect([failure.code, failure.message.includes(deletes.filePath)]).toEqual([code, true]);
    }
    expect((await lab.online()).metadata.currentSnapshotId).toBe(before);
    const { metadataLocation } = await lab.source();
    const scan = await moraine(['table', 'scan', metadataLocation]);
    expect(scan).toMatchObject({ code: 7, stdout: '' });
    expect(scan.stderr).toContain(`[${code}]`);
    expect(scan.stderr).toContain(deletes.filePath);
  });
});
