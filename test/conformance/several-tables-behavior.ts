/** Commits to several tables at once, for every catalog that has them. Called by {@link describeCatalogBehavior}. */
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Catalog, LoadedTable, TableCommit, TableIdentifier } from '../../catalogs/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { Schema } from '../../iceberg/index.js';
import { type FileIO, listFiles } from '../../storage/index.js';
import { rejectionCode } from '../support/error-code.js';
import type { CatalogUnderTest } from './catalog-behavior.js';

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'id', required: true, type: { kind: 'long' } }],
};
const NAMES = ['a', 'b', 'c'];
const TABLES: readonly TableIdentifier[] = NAMES.map((name) => ({ namespace: ['shop'], name }));

/** Adds a snapshot to a table, if the current one still is what was loaded. */
function commitOf({ identifier, metadata }: LoadedTable, snapshotId: bigint): TableCommit {
  const summary = new Map([['operation', 'append']]);
  const sequenceNumber = metadata.lastSequenceNumber + 1n;
  const timestampMs = BigInt(Date.now());
  return {
    identifier,
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata.tableUuid },
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: metadata.currentSnapshotId },
    ],
    updates: [
      {
        action: 'add-snapshot',
        snapshot: { snapshotId, sequenceNumber, timestampMs, manifestList: '/none', summary, schemaId: 0 },
      },
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId } },
    ],
  };
}

const load = (catalog: Catalog): Promise<readonly LoadedTable[]> =>
  Promise.all(TABLES.map((table) => catalog.loadTable(table)));
const snapshotsOf = async (catalog: Catalog): Promise<readonly (readonly bigint[])[]> =>
  (await load(catalog)).map(({ metadata }) => metadata.snapshots.map(({ snapshotId }) => snapshotId));

const commit = (catalog: Catalog, commits: readonly TableCommit[]): Promise<void> =>
  catalog.commitTables?.(commits) ?? expect.unreachable('the catalog has no commits to several tables');

async function filesOf(io: FileIO, tables: readonly LoadedTable[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { metadataLocation } of tables)
    for await (const { location } of listFiles(io, dirname(metadataLocation))) found.push(location);
  return found.sort();
}

/** @param isServer it writes metadata files itself, and answers for the atomicity of what races */
export function describeSeveralTablesBehavior(
  name: string,
  open: () => Promise<CatalogUnderTest>,
  isServer: boolean,
): void {
  async function withTables(): Promise<CatalogUnderTest> {
    const opened = await open();
    await opened.catalog.createNamespace(['shop']);
    for (const table of TABLES) await opened.catalog.createTable(table, { schema: SCHEMA });
    return opened;
  }

  describe(`${name}: commits to several tables`, () => {
    test('land together and are seen by others; a table whose commit changes nothing stays as it is', async () => {
      const { catalog, reopen } = await withTables();
      const [a, b, c] = (await load(catalog)) as [LoadedTable, LoadedTable, LoadedTable];
      await commit(catalog, [commitOf(a, 11n), { ...commitOf(b, 0n), updates: [] }, commitOf(c, 13n)]);
      expect(await snapshotsOf(await reopen())).toEqual([[11n], [], [13n]]);
      if (isServer) return;
      const after = await load(await reopen());
      expect(after[1]?.metadataLocation).toBe(b.metadataLocation);
      expect(after[0]?.metadata.metadataLog.map(({ metadataFile }) => metadataFile)).toEqual([a.metadataLocation]);
    });

    test('of which one fails change no table, and leave no file', async () => {
      const { catalog, reopen, io } = await withTables();
      const before = await load(catalog);
      const [a, b, c] = before as [LoadedTable, LoadedTable, LoadedTable];
      const files = await filesOf(io, before);
      const moved = {
        ...commitOf(c, 13n),
        requirements: commitOf({ ...c, metadata: { ...c.metadata, currentSnapshotId: 7n } }, 13n).requirements,
      };
      const other = { ...commitOf(c, 13n), requirements: commitOf({ ...c, metadata: a.metadata }, 13n).requirements };
      const missing = { ...commitOf(c, 13n), identifier: { namespace: ['shop'], name: 'none' } };
      for (const [last, code] of [
        [moved, 'COMMIT_CONFLICT'],
        [other, 'TABLE_REPLACED'],
        [missing, 'TABLE_NOT_FOUND'],
      ] as const) {
        expect(await rejectionCode(commit(catalog, [commitOf(a, 11n), commitOf(b, 12n), last]))).toBe(code);
        expect(await snapshotsOf(await reopen())).toEqual([[], [], []]);
        expect(await filesOf(io, before)).toEqual(files);
      }
    });

    test('name each table once; one for no table does nothing', async () => {
      const { catalog } = await withTables();
      const [a] = (await load(catalog)) as [LoadedTable];
      expect(await rejectionCode(commit(catalog, [commitOf(a, 11n), commitOf(a, 12n)]))).toBe('INVALID_ARGUMENT');
      await commit(catalog, []);
      expect(await snapshotsOf(catalog)).toEqual([[], [], []]);
      await commit(catalog, [commitOf(a, 11n)]);
      expect(await snapshotsOf(catalog)).toEqual([[11n], [], []]);
    });

    if (isServer) return;
    test('that race, named in either order and beside commits to one of them, land whole or not at all', async () => {
      const { catalog, reopen, io } = await withTables();
      const before = await load(catalog);
      const clients = await Promise.all(Array.from({ length: 16 }, () => reopen()));
      const landed: bigint[] = [];
      const alone: bigint[] = [];
      const until = async (attempt: () => Promise<void>): Promise<void> => {
        for (;;) {
          try {
            return await attempt();
          } catch (error) {
            if (!isMoraineError(error, 'COMMIT_CONFLICT')) throw error;
          }
        }
      };
      await Promise.all(
        clients.map(async (client, number) => {
          const id = BigInt(100 + number);
          await until(async () => {
            const [a, b] = (await load(client)) as [LoadedTable, LoadedTable];
            if (number % 4 === 3) return void (await client.commitTable(b.identifier, commitOf(b, id)));
            const commits = [commitOf(a, id), commitOf(b, id)];
            await commit(client, number % 2 === 0 ? commits : commits.toReversed());
          });
          (number % 4 === 3 ? alone : landed).push(id);
        }),
      );
      const [ofA = [], ofB = [], ofC] = await snapshotsOf(await reopen());
      expect(ofA.toSorted()).toEqual(landed.toSorted());
      expect(ofB.filter((id) => !alone.includes(id))).toEqual(ofA);
      expect(ofB).toHaveLength(16);
      expect(ofC).toEqual([]);
      // One file for each creation and each commit that landed: losers leave none.
      expect(await filesOf(io, before)).toHaveLength(3 + landed.length * 2 + alone.length);
    });
  });
}
