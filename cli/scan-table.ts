/** Reading a table's rows: planned, checked, and projected by field id. */
import {
  type Connection,
  columnAlias,
  listTransformSql,
  quoteIdentifier,
  quoteLiteral,
  readableScanSql,
} from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import {
  type BoundExpression,
  findField,
  type IcebergType,
  type Schema,
  type Snapshot,
  sameType,
} from '../iceberg/index.js';
import { fileToOpen, type OpenFiles, openFiles } from '../scans/index.js';
import { planFiles, type Table } from '../tables/index.js';

/** Rows and columns to read from a table. */
export interface TableScan {
  readonly snapshot: Snapshot | null;
  /** The schema of that state of the table. */
  readonly schema: Schema;
  /** The columns wanted, in order; a struct may have some of its fields only. */
  readonly selected: Schema;
  readonly filter: BoundExpression | undefined;
}

/** A scan that is ready to run. */
export interface PreparedScan {
  /** A statement for the rows, whose columns are those selected, in order. */
  readonly statement: string;
  /** Files that the statement reads, and files that planning left out. */
  readonly filesRead: number;
  readonly filesSkipped: number;
  /** Makes an error of running it name the damaged file, where the query engine did not say which one it is. */
  explain(error: unknown): Promise<unknown>;
}

/**
 * Plans a scan and looks at its files: when this returns, every file has been found to exist with its recorded length and
 * a readable footer.
 *
 * @throws `LOCATION_REFUSED`, `FILE_NOT_FOUND`, `DATA_FILE_CORRUPT`, `MANIFEST_CORRUPT`, `DELETE_FILE_CORRUPT`
 */
export async function prepareScan(connection: Connection, table: Table, scan: TableScan): Promise<PreparedScan> {
  const { snapshot, schema, filter } = scan;
  const request = { snapshot, schema, appliesDeletes: true };
  const plan = await planFiles(table, { ...request, ...(filter === undefined ? {} : { filter }) });
  const open = await openFiles(connection, table, plan.files.map(fileToOpen));
  return {
    statement: await scanStatement(connection, scan, open),
    filesRead: plan.files.length,
    filesSkipped: plan.stats.filesSkipped,
    explain: async (error) => {
      if (!isMoraineError(error, 'DATA_FILE_CORRUPT') || error.details['path'] !== undefined) return error;
      const whole = { ...scan, selected: schema, filter: undefined };
      for (const file of open.files) {
        // Every value of every row is read, one file at a time.
        const statement = await scanStatement(connection, whole, { ...open, files: [file] });
        const probe = `SELECT max(hash(r)) FROM (${statement}) AS r`;
        const damaged = await connection.rows(probe).then(
          () => false,
          () => true,
        );
        if (damaged) return damagedFile(file.path, error);
      }
      return error;
    },
  };
}

function damagedFile(path: string, cause: unknown): MoraineError {
  return new MoraineError('DATA_FILE_CORRUPT', `the data file ${path} is damaged: its rows cannot be read`, {
    details: { path },
    cause,
  });
}

async function scanStatement(
  connection: Connection,
  { schema, selected, filter }: TableScan,
  open: OpenFiles,
): Promise<string> {
  const columns = selected.fields.map((field) => field.id);
  const scan = { ...open, columns, naming: 'id' } as const;
  // A filter or deletes may need fields of a struct that are not selected: then the whole struct is read and cut afterwards.
  if (filter === undefined && open.deletes === undefined)
    return `SELECT * FROM ${await readableScanSql(connection, { ...scan, schema: withSelected(schema, selected) })}`;
  const filtered = filter === undefined ? {} : { filter };
  const outputs = selected.fields.map((field) => {
    const whole = findField(schema, field.id) ?? field;
    return cutSql(columnAlias(field.id), whole.type, field.type);
  });
  return `SELECT ${outputs.join(', ')} FROM ${await readableScanSql(connection, { ...scan, schema, ...filtered })}`;
}

/** The whole schema, with the selected columns as they were selected. */
function withSelected(schema: Schema, selected: Schema): Schema {
  const byId = new Map(selected.fields.map((field) => [field.id, field]));
  return { ...schema, fields: schema.fields.map((field) => byId.get(field.id) ?? field) };
}

/** A value of the whole type, cut to the fields of the selected one. */
function cutSql(value: string, whole: IcebergType, selected: IcebergType): string {
  if (sameType(whole, selected)) return value;
  if (whole.kind === 'struct' && selected.kind === 'struct') {
    const members = selected.fields.map((field) => {
      const inner = whole.fields.find((candidate) => candidate.id === field.id) ?? field;
      const member = `struct_extract(${value}, ${quoteLiteral(field.name)})`;
      return `${quoteIdentifier(field.name)} := ${cutSql(member, inner.type, field.type)}`;
    });
    return `CASE WHEN ${value} IS NULL THEN NULL ELSE struct_pack(${members.join(', ')}) END`;
  }
  if (whole.kind === 'list' && selected.kind === 'list') {
    const item = `item${selected.elementId}`;
    return listTransformSql(value, [item], cutSql(item, whole.element, selected.element));
  }
  if (whole.kind === 'map' && selected.kind === 'map') {
    const entry = `entry${selected.keyId}`;
    const key = cutSql(`struct_extract(${entry}, 'key')`, whole.key, selected.key);
    const cut = cutSql(`struct_extract(${entry}, 'value')`, whole.value, selected.value);
    return `map_from_entries(${listTransformSql(`map_entries(${value})`, [entry], `struct_pack(k := ${key}, v := ${cut})`)})`;
  }
  return value;
}
