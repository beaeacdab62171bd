/** The rows of equality-delete files in temporary tables, one for each list of delete columns. */
import { MoraineError } from '../../errors/index.js';
import { fieldPath, findField, type NameMapping, type NestedField, type Schema } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { fieldSql } from '../scan/column-path.js';
import { columnAlias, quoteIdentifier } from '../sql/sql-text.js';
import { isPrimitive, sqlType } from '../sql/sql-type.js';
import { DELETE_NUMBER, deleteRowsSql, type OpenDeleteFile, readingDeletes } from './delete-file-scan.js';
import { type DeleteKey, type EqualityDeletes, keyColumn, keySql } from './scan-deletes.js';

/** One schema with every field that any schema of a table has or had, at any depth, each with its newest type. */
export function everyColumn(schemas: readonly Schema[]): Schema {
  const newestFirst = schemas.toSorted((a, b) => b.schemaId - a.schemaId);
  const fields = newestFirst.reduce<readonly NestedField[]>((known, { fields }) => withMissing(known, fields), []);
  return { schemaId: 0, identifierFieldIds: [], fields };
}

/** The fields with those of `others` that they lack, inside structs, too. */
function withMissing(fields: readonly NestedField[], others: readonly NestedField[]): readonly NestedField[] {
  const merged = fields.map((field): NestedField => {
    const other = others.find(({ id }) => id === field.id);
    if (field.type.kind !== 'struct' || other?.type.kind !== 'struct') return field;
    return { ...field, type: { kind: 'struct', fields: withMissing(field.type.fields, other.type.fields) } };
  });
  return [...merged, ...others.filter((other) => fields.every(({ id }) => id !== other.id))];
}

/** The columns of equality deletes. @throws UNSUPPORTED_FEATURE, MANIFEST_CORRUPT naming the delete file */
export function deleteKeys(schema: Schema, { path, entry }: OpenDeleteFile): readonly DeleteKey[] {
  const ids = [...new Set(entry.file.equalityIds)].sort((a, b) => a - b);
  return ids.map((id) => {
    const field = findField(schema, id);
    if (field === undefined) {
      const message = `The delete file ${path} goes by a column with the id ${id}, which no schema of the table has.`;
      throw new MoraineError('MANIFEST_CORRUPT', message, { details: { path } });
    }
    if (isPrimitive(field.type)) return { id, type: field.type };
    const message = `The delete file ${path} goes by the column ${field.name}, which is a ${field.type.kind}.`;
    throw new MoraineError('UNSUPPORTED_FEATURE', message, { details: { path } });
  });
}

/** The equality-delete files of one list of columns. */
export interface EqualityDeletesToRead {
  readonly table: string;
  readonly schema: Schema;
  readonly keys: readonly DeleteKey[];
  readonly files: readonly OpenDeleteFile[];
  /** The scope of each file's rows; undefined: they are for all files. */
  readonly scopeOf: ((file: OpenDeleteFile) => bigint) | undefined;
  readonly nameMapping: NameMapping | undefined;
}

/**
 * Reads equality deletes into a temporary table: of equal ones the newest, which takes all rows that older ones take.
 * @throws FILE_NOT_FOUND, DELETE_FILE_CORRUPT, UNSUPPORTED_FEATURE naming the file
 */
export async function createEqualityDeletes(
  connection: Connection,
  read: EqualityDeletesToRead,
): Promise<EqualityDeletes> {
  const { schema, keys, files, scopeOf } = read;
  const topLevel = new Set(keys.map(({ id }) => fieldPath(schema, id)?.parentIds[0] ?? id));
  const columns = schema.fields.filter((field) => topLevel.has(field.id));
  const relation = await deleteRowsSql(connection, files, { ...schema, fields: columns }, read.nameMapping);
  const values = keys.flatMap(({ id, type }, position) => {
    const sql = `(${fieldSql(schema, id, (top) => `d.${columnAlias(top.id)}`)})::${sqlType(type)}`;
    return keySql(type, sql).map((part, index) => `${part} AS ${keyColumn(position, index)}`);
  });
  const facts = files.map((file, number) => [number, scopeOf?.(file) ?? 0n, file.entry.sequenceNumber].join(', '));
  const scope = scopeOf === undefined ? [] : ['f.scope::BIGINT AS scope'];
  const select = [
    `SELECT ${[...values, ...scope, 'max(f.sequence::BIGINT) AS sequence'].join(', ')} FROM ${relation} AS d`,
    `JOIN (VALUES ${facts.map((fact) => `(${fact})`).join(', ')}) AS f(number, scope, sequence) ON d.${DELETE_NUMBER} = f.number GROUP BY ALL`,
  ].join(' ');
  await readingDeletes(connection, files, () =>
    connection.run(`CREATE TEMP TABLE ${quoteIdentifier(read.table)} AS ${select}`),
  );
  return { table: read.table, keys, isScoped: scopeOf !== undefined };
}
