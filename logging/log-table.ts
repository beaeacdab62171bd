/** The table that the answers for a feature service are logged to. It gains columns as the service gains features. */
import {
  type Catalog,
  ensureNamespace,
  formatTableName,
  type TableIdentifier,
  withTableDefaults,
} from '../catalogs/index.js';
import type { Engine } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { acceptsType, featureTypeToString, sameType } from '../features/index.js';
import {
  assignFreshIds,
  currentSchema,
  highestFieldId,
  type NestedField,
  parsePartitionSpec,
  requireVersionTwoTypes,
  type Schema,
  type TableMetadata,
} from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { changeSchema, commitUnmoved, hasCode, loadTable, retryConflicts, type Table } from '../tables/index.js';
import { LOG_PARTITION, type LogColumn } from './log-columns.js';

/** Dependencies of logs. */
export interface LogDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  /** Namespace of the log tables. */
  readonly namespace: readonly string[];
}

/** The log of a service: `<namespace>.<service>_log`. */
export function logTableIdentifier(namespace: readonly string[], service: string): TableIdentifier {
  return { namespace, name: `${service}_log` };
}

/** @throws TABLE_NOT_FOUND, in words that say that nothing was logged */
export async function loadLogTable({ catalog, io, namespace }: LogDeps, service: string): Promise<Table> {
  const identifier = logTableIdentifier(namespace, service);
  return loadTable(catalog, io, identifier).catch((error: unknown) => {
    if (!isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) throw error;
    const message = `Nothing was logged for feature service '${service}': there is no table ${formatTableName(identifier)}.`;
    throw new MoraineError('TABLE_NOT_FOUND', message, { cause: error });
  });
}

/**
 * Creates the log of a service, or adds the columns that it lacks.
 * @throws TYPE_MISMATCH for a column that has another type, SCHEMA_INVALID for one that a table cannot have, COMMIT_CONFLICT
 */
export async function ensureLogTable(deps: LogDeps, service: string, columns: readonly LogColumn[]): Promise<Table> {
  const { catalog, io, namespace } = deps;
  const identifier = logTableIdentifier(namespace, service);
  requireVersionTwoTypes(newSchema(columns));
  return await retryConflicts(
    catalog,
    async () => {
      await ensureOnce(catalog, identifier, columns);
      return await loadTable(catalog, io, identifier);
    },
    hasCode('COMMIT_CONFLICT', 'TABLE_ALREADY_EXISTS', 'TABLE_NOT_FOUND'),
  );
}

async function ensureOnce(catalog: Catalog, identifier: TableIdentifier, columns: readonly LogColumn[]): Promise<void> {
  if (!(await catalog.tableExists(identifier))) {
    await ensureNamespace(catalog, identifier.namespace);
    const schema = newSchema(columns);
    const partitionSpec = parsePartitionSpec(LOG_PARTITION, schema);
    await catalog.createTable(identifier, withTableDefaults({ schema, partitionSpec }));
    return;
  }
  const base = await catalog.loadTable(identifier);
  const { metadata } = base;
  const schema = evolvedSchema(metadata, columns, formatTableName(identifier));
  if (schema === null) return;
  await commitUnmoved(catalog, base, changeSchema(metadata, schema));
}

function newSchema(columns: readonly LogColumn[]): Schema {
  const fields: NestedField[] = [];
  let nextId = 1;
  for (const column of columns) {
    const added = freshField(field(column), nextId);
    fields.push(added.field);
    nextId = added.nextId;
  }
  return { schemaId: 0, identifierFieldIds: [], fields };
}

/** A column with ids of its own: those of the tables that columns come from may be equal. */
function freshField(wanted: NestedField, firstId: number): { readonly field: NestedField; readonly nextId: number } {
  const fresh = assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields: [wanted] }, firstId);
  return { field: fresh.fields[0] ?? wanted, nextId: highestFieldId(fresh) + 1 };
}

function field({ name, type, required, doc }: LogColumn): NestedField {
  return { id: 0, name, type, required, ...(doc === undefined ? {} : { doc }) };
}

/** The schema with every column in it, or null if the table has it already. A column is never dropped or narrowed. */
function evolvedSchema(metadata: TableMetadata, columns: readonly LogColumn[], table: string): Schema | null {
  const current = currentSchema(metadata);
  const fields = new Map(current.fields.map((known) => [known.name, known]));
  let nextId = metadata.lastColumnId + 1;
  let changed = false;
  for (const column of columns) {
    const known = fields.get(column.name);
    if (known !== undefined && acceptsType(known.type, column.type)) continue;
    changed = true;
    if (known === undefined) {
      const added = freshField({ ...field(column), required: false }, nextId);
      nextId = added.nextId;
      fields.set(column.name, added.field);
    } else if (acceptsType(column.type, known.type) && !sameType(column.type, known.type)) {
      fields.set(column.name, { ...known, type: column.type });
    } else throw otherType(table, column, known);
  }
  if (!changed) return null;
  return { schemaId: current.schemaId, identifierFieldIds: [], fields: [...fields.values()] };
}

function otherType(table: string, column: LogColumn, known: NestedField): MoraineError {
  const types = `${featureTypeToString(known.type)} there, but ${featureTypeToString(column.type)} in the answer`;
  return new MoraineError(
    'TYPE_MISMATCH',
    `Column '${column.name}' of the log ${table} is of type ${types}. Rename the column or the log table; logging then goes on with a new one.`,
  );
}
