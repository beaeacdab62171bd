/** A table whose newest snapshot has a position-delete file, as merge-on-read engines write them: refused everywhere, never read wrong. */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseTableName } from '../../catalogs/index.js';
import { getHistoricalFeatures } from '../../features/index.js';
import {
  currentSchema,
  currentSnapshot,
  manifestFileOf,
  writeManifest,
  writeManifestList,
} from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { commitAppend, planFiles, readSnapshotManifests, selectSnapshot } from '../../tables/index.js';
import { moraine } from '../support/cli.js';
import { failureOf } from '../support/error-code.js';
import { Lab, SOURCE } from '../support/materialization-lab.js';

let lab: Lab;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
  await lab.append([
    { k: 1, at: 10, v: 1 },
    { k: 2, at: 20, v: 2 },
  ]);
});
afterEach(() => lab.close());

const IDS_OF_DELETE_FILES = '{file_path: 2147483546, pos: 2147483545}';

/** Deletes the first row of every data file, in one snapshot that only adds a delete file. Returns the delete file. */
async function deleteFirstRows(): Promise<string> {
  const { metadata, io } = await lab.source();
  const { snapshot } = selectSnapshot(metadata);
  const { files } = await planFiles(await lab.source(), selectSnapshot(metadata));
  const [spec] = metadata.partitionSpecs;
  if (snapshot === null || spec === undefined) throw new Error('no snapshot');
  const filePath = `${metadata.location}/data/deletes-${randomUUID()}.parquet`;
  const rows = files.map(({ file }) => `SELECT '${file.filePath}' AS file_path, 0::BIGINT AS pos`).join(' UNION ALL ');
  await lab.engine.withConnection((connection) =>
    connection.run(`COPY (${rows}) TO '${filePath}' (FORMAT parquet, FIELD_IDS ${IDS_OF_DELETE_FILES})`),
  );
  const schema = currentSchema(metadata);
  const entry = {
    status: 'added',
    snapshotId: null,
    sequenceNumber: null,
    fileSequenceNumber: null,
    dataFile: {
      content: 'position-deletes',
      filePath,
      fileFormat: 'PARQUET',
      specId: spec.specId,
      partition: [],
      recordCount: BigInt(files.length),
      fileSizeInBytes: BigInt(statSync(filePath).size),
    },
  } as const;
  const bytes = writeManifest({ formatVersion: 2, content: 'deletes', schema, spec, entries: [entry] });
  const manifestPath = `${metadata.location}/metadata/deletes-${randomUUID()}.avro`;
  await io.create(manifestPath, bytes);
  const ids = { snapshotId: snapshot.snapshotId + 1n, sequenceNumber: metadata.lastSequenceNumber + 1n };
  const deletes = manifestFileOf({
    manifestPath,
    manifestLength: BigInt(bytes.length),
    content: 'deletes',
    spec,
    schema,
    entries: [entry],
    ...ids,
  });
  const manifests = [deletes, ...(await readSnapshotManifests(io, snapshot))];
  const manifestList = `${metadata.location}/metadata/snap-${randomUUID()}.avro`;
  const list = { formatVersion: 2, parentSnapshotId: snapshot.snapshotId, manifests, ...ids } as const;
  await io.create(manifestList, writeManifestList(list));
  await lab.update(parseTableName(SOURCE).identifier, [
    {
      action: 'add-snapshot',
      snapshot: {
        ...ids,
        parentSnapshotId: snapshot.snapshotId,
        timestampMs: metadata.lastUpdatedMs,
        manifestList,
        summary: new Map([['operation', 'delete']]),
        schemaId: schema.schemaId,
      },
    },
    { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: ids.snapshotId } },
  ]);
  return manifestPath;
}

const historical = () =>
  getHistoricalFeatures(
    lab.deps,
    { features: [`${lab.view.name}:v`], entities: { rows: [{ k: 1, event_timestamp: '1970-01-01T00:01:00Z' }] } },
    (answer) => answer.connection.rows(answer.select),
  );

test('is refused by the scan, by a first and by an incremental materialization, and by historical features', async () => {
  const before = (await lab.source()).metadata.currentSnapshotId;
  const manifest = await deleteFirstRows();
  const first = await failureOf(materializeDirect(lab.deps, { view: lab.view.name }));
  expect([first.code, first.message.includes(manifest)]).toEqual(['DELETE_FILES_UNSUPPORTED', true]);
  expect((await failureOf(historical())).code).toBe('DELETE_FILES_UNSUPPORTED');

  const { metadataLocation } = await lab.source();
  const scan = await moraine(['table', 'scan', metadataLocation]);
  expect(scan).toMatchObject({ code: 6, stdout: '' });
  expect(scan.stderr).toContain(`[DELETE_FILES_UNSUPPORTED]`);
  expect(scan.stderr).toContain(manifest);

  // The state before the deletion has none, so it is still read.
  const old = await moraine(['table', 'scan', metadataLocation, '--snapshot', String(before), '--columns', 'k']);
  expect([old.code, old.stdout.split('\n').sort()]).toEqual([0, ['', '{"k":1}', '{"k":2}']]);
});

test('an incremental run that meets new delete files commits nothing', async () => {
  await materializeDirect(lab.deps, { view: lab.view.name });
  const online = (await lab.online()).metadata.currentSnapshotId;
  await deleteFirstRows();
  await lab.append([{ k: 3, at: 30, v: 3 }]);
  expect((await failureOf(materializeDirect(lab.deps, { view: lab.view.name }))).code).toBe('DELETE_FILES_UNSUPPORTED');
  expect((await lab.online()).metadata.currentSnapshotId).toBe(online);
});

test('appending to such a table keeps its delete files', async () => {
  const manifest = await deleteFirstRows();
  const table = await lab.source();
  await commitAppend(table, { files: [] });
  await lab.append([{ k: 3, at: 30, v: 3 }]);
  const loaded = await lab.source();
  const listed = await readSnapshotManifests(loaded.io, currentSnapshot(loaded.metadata));
  expect(listed.filter(({ content }) => content === 'deletes').map(({ manifestPath }) => manifestPath)).toEqual([
    manifest,
  ]);
});
