/** A table that is compacted in tests: rows appended in small files, deletes of every kind, and what a reader finds. */
import { type Catalog, parseTableName } from '../../catalogs/index.js';
import { type Engine, quoteLiteral, readableScanSql } from '../../engine/index.js';
import { type Definitions, NO_DEFINITIONS } from '../../features/index.js';
import type { CompactDeps } from '../../maintenance/index.js';
import { openScan } from '../../scans/index.js';
import type { FileIO } from '../../storage/index.js';
import { loadTable, planFiles, selectSnapshot, type Table } from '../../tables/index.js';

export interface CompactionLab {
  readonly io: FileIO;
  readonly engine: Engine;
}

/** The dependencies of compaction, from a lab. */
export function compactDeps(
  lab: CompactionLab & { readonly catalog: Catalog },
  definitions: Definitions = NO_DEFINITIONS,
): CompactDeps {
  const { io, engine, catalog } = lab;
  return {
    io,
    engine,
    loadTable: (name) => loadTable(catalog, io, parseTableName(name).identifier),
    definitions: () => Promise.resolve(definitions),
  };
}

export interface ReadRows {
  /** Columns to give, with `file`, `row`, `seq` and `id`; all columns of the schema by default. */
  readonly select?: string;
}

/** The live rows of a table's current snapshot, ordered, values as text. */
export async function liveRows(
  lab: Pick<CompactionLab, 'engine'>,
  table: Table,
  { select = '* EXCLUDE (file, row, seq, id)' }: ReadRows = {},
): Promise<readonly string[]> {
  const { schema, snapshot } = selectSnapshot(table.metadata);
  const plan = await planFiles(table, { schema, snapshot, appliesDeletes: true });
  return lab.engine.withConnection(async (connection) => {
    const { scan } = await openScan(connection, { table, snapshot, schema }, plan);
    const files = scan.files.map((file, index) => {
      const firstRowId = plan.files[index]?.file.firstRowId;
      return firstRowId === undefined ? file : { ...file, firstRowId };
    });
    const extras = { fileNumber: 'place', rowNumber: 'row', sequenceNumber: 'seq', rowId: 'id' };
    const locations = plan.files.map(({ file }) => quoteLiteral(file.filePath)).join(', ');
    const named = `* EXCLUDE (place), list_extract([${locations}]::VARCHAR[], place + 1) AS file`;
    const readable = await readableScanSql(connection, { ...scan, files, schema, extras });
    const rows = await connection.rows(`SELECT ${select} FROM (SELECT ${named} FROM ${readable}) ORDER BY ALL`);
    return rows.map((row) => row.map(String).join('|'));
  });
}

/** The data and delete files that the current snapshot lists. */
export async function filesOf(table: Table) {
  const { schema, snapshot } = selectSnapshot(table.metadata);
  return (await planFiles(table, { schema, snapshot, appliesDeletes: true })).files;
}
