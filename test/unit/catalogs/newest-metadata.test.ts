import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { newestMetadata } from '../../../catalogs/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { MaintenanceLab } from '../../support/maintenance-lab.js';

/** A table with a few commits, and a way to leave the file of a commit that lost its swap. */
async function lostCatalog() {
  const lab = await MaintenanceLab.open();
  const table = await lab.create('ns.t');
  const commits = [await lab.append('ns.t'), await lab.append('ns.t')];
  const { metadataLocation, metadata } = await lab.load('ns.t');
  const lost = (name: string, after: string): string => {
    const base = JSON.parse(readFileSync(after, 'utf8')) as Record<string, unknown> & { 'metadata-log': unknown[] };
    const log = [...base['metadata-log'], { 'metadata-file': after, 'timestamp-ms': base['last-updated-ms'] }];
    const path = join(table.metadata.location, 'metadata', name);
    writeFileSync(path, JSON.stringify({ ...base, 'last-updated-ms': Date.now() + 1e9, 'metadata-log': log }));
    return path;
  };
  return { lab, folder: table.metadata.location, metadataLocation, metadata, commits, lost };
}

test('the newest metadata file is found without a catalog', async () => {
  const { lab, folder, metadataLocation } = await lostCatalog();
  expect((await newestMetadata(lab.io, folder)).location).toBe(metadataLocation);
  expect((await newestMetadata(lab.io, `file://${folder}/metadata`)).location).toBe(metadataLocation);
});

test('faults 6: the metadata file of a commit that lost its swap is not picked, however new its time and number', async () => {
  const { lab, folder, metadata, lost } = await lostCatalog();
  // It was made on the file before the current one; the table went on without it twice.
  lost('00099-lost.metadata.json', metadata.metadataLog.at(-1)?.metadataFile ?? '');
  await lab.append('ns.t');
  const { metadataLocation } = await lab.load('ns.t');
  expect((await newestMetadata(lab.io, folder)).location).toBe(metadataLocation);
});

test('the file of a lost commit is not picked once the log of the table has forgotten what it was made on', async () => {
  const { lab, folder, metadata, metadataLocation, lost } = await lostCatalog();
  lost('00099-lost.metadata.json', metadata.metadataLog.at(-1)?.metadataFile ?? '');
  lost('00098-lost.metadata.json', metadataLocation);
  const updates = new Map([
    ['write.metadata.previous-versions-max', '2'],
    ['write.metadata.delete-after-commit.enabled', 'true'],
  ]);
  const identifier = { namespace: ['ns'], name: 't' };
  await lab.catalog.commitTable(identifier, { requirements: [], updates: [{ action: 'set-properties', updates }] });
  for (let commit = 0; commit < 3; commit++) await lab.append('ns.t');
  expect((await newestMetadata(lab.io, folder)).location).toBe((await lab.load('ns.t')).metadataLocation);
});

test('where storage alone cannot tell which commit landed, both are named and none is picked', async () => {
  const { lab, folder, metadataLocation, lost } = await lostCatalog();
  const one = lost('00003-one.metadata.json', metadataLocation);
  const two = lost('00003-two.metadata.json', metadataLocation);
  const failure = await newestMetadata(lab.io, folder).catch((error: unknown) => String(error));
  expect(failure).toContain(one);
  expect(failure).toContain(two);
  expect(await rejectionCode(newestMetadata(lab.io, folder))).toBe('METADATA_CORRUPT');
});

test('metadata of another table, none at all, and a damaged file are errors', async () => {
  const { lab, folder } = await lostCatalog();
  expect(await rejectionCode(newestMetadata(lab.io, `${folder}/data`))).toBe('FILE_NOT_FOUND');
  const other = await lab.create('ns.other');
  copyFileSync(other.metadataLocation, `${folder}/metadata/00000-other.metadata.json`);
  expect(await rejectionCode(newestMetadata(lab.io, folder))).toBe('METADATA_CORRUPT');
  writeFileSync(`${folder}/metadata/00009-x.metadata.json`, '{');
  expect(await rejectionCode(newestMetadata(lab.io, folder))).toBe('METADATA_CORRUPT');
});
