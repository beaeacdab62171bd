import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { currentSnapshot } from '../../iceberg/index.js';
import {
  commitAppend,
  loadTableAt,
  openTableLocation,
  planFiles,
  readSnapshotManifests,
  selectSnapshot,
} from '../../tables/index.js';
import { failureOf } from '../support/error-code.js';
import { dataFile, type TableFixture, tableFixture } from '../support/table-fixture.js';

type Part = 'metadata' | 'manifest list' | 'manifest';

async function locationOf(fixture: TableFixture, part: Part): Promise<string> {
  const table = await fixture.load();
  const snapshot = currentSnapshot(table.metadata);
  if (part === 'metadata') return table.metadataLocation;
  if (part === 'manifest list') return snapshot?.manifestList ?? '';
  return (await readSnapshotManifests(table.io, snapshot))[0]?.manifestPath ?? '';
}

const DAMAGES: Record<string, (content: Buffer) => Buffer | null> = {
  missing: () => null,
  empty: () => Buffer.alloc(0),
  truncated: (content) => content.subarray(0, content.length - 20),
  scrambled: (content) =>
    Buffer.concat([content.subarray(0, content.length >> 1), Buffer.alloc(content.length >> 1, 0xff)]),
  'another format': () => Buffer.from('PAR1 this is not what it should be PAR1'),
};

const PARTS: readonly Part[] = ['metadata', 'manifest list', 'manifest'];

test.each(PARTS.flatMap((part) => Object.keys(DAMAGES).map((damage) => ({ part, damage }))))(
  'a $part file that is $damage is an error that names it, to readers and writers',
  async ({ part, damage }) => {
    const fixture = await tableFixture();
    await commitAppend(fixture.table, { files: [dataFile(['x'])] });
    const location = await locationOf(fixture, part);
    const damaged = DAMAGES[damage]?.(readFileSync(location));
    if (damaged === null || damaged === undefined) rmSync(location);
    else writeFileSync(location, damaged);
    fixture.table.io.cache.clear();
    const corrupt = part === 'metadata' ? 'METADATA_CORRUPT' : 'MANIFEST_CORRUPT';
    const read = await failureOf(fixture.load().then((table) => planFiles(table, selectSnapshot(table.metadata))));
    expect(read.code).toBe(damage === 'missing' ? 'FILE_NOT_FOUND' : corrupt);
    expect(read.message).toContain(location);
    if (part === 'manifest') return; // an append does not read the manifests of others
    const write = await failureOf(commitAppend(fixture.table, { files: [dataFile(['x'])] }));
    expect(write.message).toContain(location);
  },
);

test('a table that points outside its own location is refused at the hop that leaves it', async () => {
  const fixture = await tableFixture();
  await commitAppend(fixture.table, { files: [dataFile(['x'])] });
  const list = await locationOf(fixture, 'manifest list');
  const { metadataLocation } = await fixture.load();
  const outside = `${fixture.folder}/outside.avro`;
  writeFileSync(outside, readFileSync(list));
  const copy = `${fixture.folder}/copy.metadata.json`;
  for (const target of [
    outside,
    `file:${outside}`,
    `${dirname(list)}/../../../../outside.avro`,
    's3://bucket/list.avro',
  ]) {
    writeFileSync(copy, readFileSync(metadataLocation, 'utf8').replace(list, target));
    const table = await openTableLocation(copy);
    const failure = await failureOf(planFiles(table, selectSnapshot(table.metadata)));
    expect([target, failure.code]).toEqual([target, 'LOCATION_REFUSED']);
  }
  const inside = await openTableLocation(metadataLocation);
  expect((await planFiles(inside, selectSnapshot(inside.metadata))).files).toHaveLength(1);
});

test('gzip metadata is read; its size is limited before and after decompression', async () => {
  const { gzipSync } = await import('node:zlib');
  const { table, io, folder } = await tableFixture();
  const zipped = `${folder}/x.gz.metadata.json`;
  writeFileSync(zipped, gzipSync(readFileSync(table.metadataLocation)));
  expect((await loadTableAt(io, zipped)).metadata).toEqual(table.metadata);
  const bomb = `${folder}/bomb.metadata.json.gz`;
  writeFileSync(bomb, gzipSync(Buffer.alloc(5_000_000, 0x20)));
  const limits = { maxBytes: 100_000, maxDecompressedBytes: 1_000_000 };
  const decompressed = await failureOf(loadTableAt(io, bomb, limits));
  expect([decompressed.code, decompressed.message.includes(bomb)]).toEqual(['LIMIT_EXCEEDED', true]);
  const stored = await failureOf(loadTableAt(io, bomb, { maxBytes: 1000, maxDecompressedBytes: 1e9 }));
  expect(stored.code).toBe('LIMIT_EXCEEDED');
});
