import { join } from 'node:path';
import { type Catalog, type CreateTableRequest, openSqlCatalog } from '../../catalogs/index.js';
import type { DataFile, PartitionTuple, PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';
import { serializeValue } from '../../iceberg/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { loadTable, type Table } from '../../tables/index.js';
import { temporaryFolder } from './temp-folder.js';

/** Columns `id` (long, required), `category` (string) and `amount` (double); partitioned by `category` by default. */
export const FIXTURE_TABLE: CreateTableRequest = {
  schema: {
    schemaId: 0,
    identifierFieldIds: [],
    fields: [
      { id: 1, name: 'id', required: true, type: { kind: 'long' } },
      { id: 2, name: 'category', required: false, type: { kind: 'string' } },
      { id: 3, name: 'amount', required: false, type: { kind: 'double' } },
    ],
  },
  partitionSpec: {
    specId: 0,
    fields: [{ sourceId: 2, fieldId: 1000, name: 'category', transform: { kind: 'identity' } }],
  },
};

/** Quick retries, so that tests of conflicts do not wait. */
const QUICK: ReadonlyMap<string, string> = new Map([
  ['commit.retry.min-wait-ms', '1'],
  ['commit.retry.max-wait-ms', '20'],
  ['commit.status-check.min-wait-ms', '1'],
]);

export interface TableFixture {
  readonly folder: string;
  readonly catalog: Catalog;
  readonly io: LocalFileIO;
  readonly table: Table;
  readonly load: () => Promise<Table>;
}

export const IDENTIFIER = { namespace: ['ns'], name: 't' };

export function openCatalog(folder: string, io = new LocalFileIO({ roots: [folder] })): Promise<Catalog> {
  return openSqlCatalog({ name: 'test', uri: join(folder, 'catalog.db'), warehouse: join(folder, 'warehouse'), io });
}

/** A new table in a catalog of its own, in a folder that goes with the test. */
export async function tableFixture(request: Partial<CreateTableRequest> = {}): Promise<TableFixture> {
  const folder = temporaryFolder();
  const io = new LocalFileIO({ roots: [folder] });
  const catalog = await openCatalog(folder, io);
  await catalog.createNamespace(IDENTIFIER.namespace);
  const properties = new Map([...QUICK, ...(request.properties ?? [])]);
  await catalog.createTable(IDENTIFIER, { ...FIXTURE_TABLE, ...request, properties });
  const load = () => loadTable(catalog, io, IDENTIFIER);
  return { folder, catalog, io, table: await load(), load };
}

let fileNumber = 0;

/** The entry of a data file that nobody opens. */
export function dataFile(partition: PartitionTuple, fields: Partial<DataFile> = {}): DataFile {
  fileNumber += 1;
  return {
    content: 'data',
    filePath: `/data/file-${process.pid}-${fileNumber}.parquet`,
    fileFormat: 'PARQUET',
    specId: 0,
    partition,
    recordCount: 10n,
    fileSizeInBytes: 1000n,
    ...fields,
  };
}

/** Bounds of one column, in the form of manifests. */
export function boundsOf(fieldId: number, type: PrimitiveType, lower: PrimitiveValue, upper: PrimitiveValue) {
  return {
    lowerBounds: new Map([[fieldId, serializeValue(type, lower)]]),
    upperBounds: new Map([[fieldId, serializeValue(type, upper)]]),
  };
}
