/** Reading a table's rows: planned, checked, and projected by field id. */
import { type CheckedFile, type Connection, checkFiles, type ScanFile, scanSql } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { type BoundExpression, type Schema, type Snapshot } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';
import { nameMapping } from './name-mapping.js';

/** What to read of a table. */
export interface TableScan {
  readonly snapshot: Snapshot | null;
  /** The schema of that state of the table. */
  readonly schema: Schema;
  /** The columns wanted, in order; a struct may have some of its fields only. */
  readonly selected: Schema;
  readonly filter: BoundExpression | undefined;
}

/**
 * A statement for the rows, whose columns are those selected, in order. When it is returned, every file has been found to
 * exist with its recorded length and a readable footer.
 *
 * @throws `LOCATION_REFUSED`, `FILE_NOT_FOUND`, `DATA_FILE_CORRUPT`, `MANIFEST_CORRUPT`, `DELETE_FILES_UNSUPPORTED`
 */
export async function scanStatement(connection: Connection, table: Table, scan: TableScan): Promise<string> {
  const { snapshot, schema, selected, filter } = scan;
  const withFilter = filter === undefined ? {} : { filter };
  const plan = await planFiles(table, { snapshot, schema, ...withFilter });
  const files = await Promise.all(plan.files.map((planned) => openable(table.io, planned)));
  const layouts = await checkFiles(connection, files);
  const mapping = nameMapping(table.metadata);
  const relation = scanSql({
    schema: withSelected(schema, selected),
    files,
    layouts,
    columns: selected.fields.map((field) => field.id),
    naming: 'id',
    ...withFilter,
    ...(mapping === undefined ? {} : { nameMapping: mapping }),
  });
  return `SELECT * FROM ${relation}`;
}

async function openable(io: FileIO, { file }: PlannedFile): Promise<ScanFile & CheckedFile> {
  const { filePath, fileFormat, recordCount, fileSizeInBytes } = file;
  if (fileFormat === 'PARQUET') return { path: await io.resolve(filePath), recordCount, fileSizeInBytes };
  throw new MoraineError(
    'UNSUPPORTED_FEATURE',
    `${filePath} is an ${fileFormat} file; only Parquet is read. Rewrite it with another engine.`,
  );
}

/** The whole schema, with the selected columns as they were selected: the filter may need others. */
function withSelected(schema: Schema, selected: Schema): Schema {
  const byId = new Map(selected.fields.map((field) => [field.id, field]));
  return { ...schema, fields: schema.fields.map((field) => byId.get(field.id) ?? field) };
}
