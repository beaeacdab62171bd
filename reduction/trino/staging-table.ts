/**
 * Tables between Moraine and Trino: made for one attempt, written by one of the two, read by the other, and dropped with their files. A name
 * holds when it was made, so that what a killed process leaves is found and dropped some day.
 */
import { randomUUID } from 'node:crypto';
import {
  type Catalog,
  ensureNamespace,
  formatTableName,
  type TableIdentifier,
  withTableDefaults,
} from '../../catalogs/index.js';
import type { Connection } from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { Schema } from '../../iceberg/index.js';
import { stageRows } from '../../staging/index.js';
import { type FileIO, listFiles } from '../../storage/index.js';
import { commitAppend, loadTable, type Table } from '../../tables/index.js';

/** Where staging tables are. */
export interface StagingPlace {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly namespace: readonly string[];
}

/** What a staging table holds, the first part of its name. */
export type StagingKind = 'rows' | 'files' | 'probe';

/** Left-overs of processes that were killed are dropped after this time; no query runs as long. */
const LEFT_OVER_MS = 7 * 24 * 3_600_000;

const NAME = /^(?:rows|files|probe)_(\d{13})_[0-9a-f]{32}$/;

/** Makes an empty table of format version 2. */
export async function makeStagingTable(place: StagingPlace, kind: StagingKind, schema: Schema): Promise<Table> {
  const { catalog, io, namespace } = place;
  await ensureNamespace(catalog, namespace);
  const name = `${kind}_${Date.now()}_${randomUUID().replaceAll('-', '')}`;
  const identifier = { namespace, name };
  await catalog.createTable(identifier, withTableDefaults({ schema, formatVersion: 2 }));
  return await loadTable(catalog, io, identifier);
}

/** Commits the rows of a statement to a table that was just made. */
export async function fillStagingTable(connection: Connection, table: Table, select: string): Promise<void> {
  const files = await stageRows(connection, table, { select, namePrefix: randomUUID() });
  if (files.length > 0) await commitAppend(table, { files });
}

/** Drops a table, and deletes the files in its folder. */
export async function dropStagingTable({ catalog, io }: StagingPlace, { identifier, metadata }: Table): Promise<void> {
  await catalog.dropTable(identifier).catch((error: unknown) => {
    if (!isMoraineError(error, 'TABLE_NOT_FOUND')) throw error;
  });
  const files: string[] = [];
  for await (const { location } of listFiles(io, metadata.location)) files.push(location);
  if (files.length > 0) await io.delete(...files);
}

/** Drops what killed processes have left, as far as that can be done. */
export async function dropLeftOvers(place: StagingPlace, nowMs: number): Promise<readonly string[]> {
  const { catalog, io, namespace } = place;
  if (!(await catalog.namespaceExists(namespace))) return [];
  const dropped: string[] = [];
  for (const identifier of (await catalog.listTables(namespace)).filter((table) => isLeftOver(table, nowMs))) {
    const table = await loadTable(catalog, io, identifier).catch(() => undefined);
    if (table === undefined) continue;
    await dropStagingTable(place, table);
    dropped.push(formatTableName(identifier, catalog.name));
  }
  return dropped;
}

function isLeftOver({ name }: TableIdentifier, nowMs: number): boolean {
  const madeMs = NAME.exec(name)?.[1];
  return madeMs !== undefined && nowMs - Number(madeMs) > LEFT_OVER_MS;
}
