/** Tables that Apache Spark wrote, moved: every row as Spark reads it, from files that name nothing of the old place. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'lossless-json';
import { expect, it } from 'vitest';
import type { Moraine } from '../../index.js';
import { filesWith, openTwoCatalogs } from '../support/moved-table.js';
import { scanRows } from '../support/scan-rows.js';
import { canonical, SPARK_TABLES, sparkMetadata, unpackSparkTables } from '../support/spark-tables.js';
import { temporaryFolder } from '../support/temp-folder.js';

async function scan(location: string, args: readonly string[]): Promise<string[]> {
  const options: Record<string, string> = {};
  for (let at = 0; at < args.length; at += 2) options[(args[at] ?? '').slice(2)] = args[at + 1] ?? '';
  return (await scanRows(location, options)).map((line) => canonical(parse(line))).sort();
}

/** The table registered in the old catalog, then moved. @returns its new metadata file, and the folder that has all its files */
async function move(moraine: Moraine, name: string): Promise<{ readonly location: string; readonly metadata: string }> {
  const { project } = moraine;
  const identifier = { namespace: ['spark'], name };
  const old = await project.catalog('old');
  if (!(await old.namespaceExists(['spark']))) await old.createNamespace(['spark']);
  const before = await old.registerTable(identifier, sparkMetadata(name));
  const { location } = await moraine.moveTable(`old/spark.${name}`, { to: 'new' });
  const after = await project.loadTable(`new/spark.${name}`);
  expect(location).toBe(after.metadata.location);
  expect(after.metadata).toMatchObject({
    tableUuid: before.metadata.tableUuid,
    formatVersion: before.metadata.formatVersion,
    lastSequenceNumber: before.metadata.lastSequenceNumber,
    refs: before.metadata.refs,
    snapshotLog: before.metadata.snapshotLog,
    schemas: before.metadata.schemas,
    partitionSpecs: before.metadata.partitionSpecs,
  });
  expect(after.metadata.snapshots.map(({ snapshotId, sequenceNumber }) => [snapshotId, sequenceNumber])).toEqual(
    before.metadata.snapshots.map(({ snapshotId, sequenceNumber }) => [snapshotId, sequenceNumber]),
  );
  return { location, metadata: after.metadataLocation };
}

const moved = Object.entries(SPARK_TABLES).filter(([, { refused }]) => refused === null);

it('tables of Apache Spark read the same once they have moved, at every snapshot and ref that Spark read', async () => {
  const warehouse = unpackSparkTables();
  const folder = temporaryFolder();
  // The tables are everybody's: they move from a copy, under the locations that their files name.
  cpSync(warehouse, join(folder, 'old/spark'), { recursive: true });
  const moraine = await openTwoCatalogs(folder, { [warehouse]: 'old/spark' });
  for (const [name, { rows, reads }] of moved) {
    const { metadata } = await move(moraine, name);
    if (name !== 'vectors_many_rows') expect(await scan(metadata, []), name).toEqual(rows.map(canonical).sort());
    else expect(await scan(metadata, [])).toEqual(await scan(sparkMetadata(name), []));
    for (const read of reads) {
      expect(await scan(metadata, read.args), `${name} ${read.args.join(' ')}`).toEqual(
        read.rows.map(canonical).sort(),
      );
    }
  }
  expect(filesWith(join(folder, 'new'), warehouse)).toEqual([]);
});
