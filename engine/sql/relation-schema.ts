/** The Iceberg schema of a statement's result: for relations that users bring. */
import type { DuckDBType } from '@duckdb/node-api';
import { MoraineError } from '../../errors/index.js';
import { assignFreshIds, type IcebergType, type NestedField, type Schema } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { duckdb } from '../duckdb.js';
import { provisionalIds } from '../input/input-column.js';
import { icebergType } from './duckdb-type.js';
import { withoutLateTimes } from './late-times.js';
import { sqlType } from './sql-type.js';

/** A statement's rows as a relation with an Iceberg schema. */
export interface TypedRelation {
  /** Stands after FROM; columns in the order of the schema, each of its type. */
  readonly relation: string;
  /** Every column optional, ids from 1. */
  readonly schema: Schema;
  /** Names of the columns that are only NULL. Their type is string. */
  readonly untyped: readonly string[];
}

/**
 * Finds the types of a statement's columns. Nanoseconds stay nanoseconds; 128-bit integers become decimal(38,0); a column that is
 * only NULL becomes a string.
 * @param what how the rows are called in an error, such as `the entity SQL`
 * @param known types of columns by name, where the statement does not tell all of them: zones of nanoseconds, bytes of one length
 * @throws TYPE_MISMATCH for a column of a type that no table can have, and when a row has 24:00:00 for a time; DUPLICATE_NAME for two
 * columns of one name
 */
export async function typedRelation(
  connection: Connection,
  statement: string,
  what: string,
  known: ReadonlyMap<string, IcebergType> = new Map(),
): Promise<TypedRelation> {
  const { names, types } = await connection.describe(statement);
  const untyped = (await untypedColumns(connection, statement, types)).map((index) => names[index] as string);
  const nextId = provisionalIds();
  const fields: NestedField[] = names.map((name, index) => ({
    id: nextId(),
    name,
    required: false,
    type:
      known.get(name) ?? (untyped.includes(name) ? TEXT : columnType(what, name, types[index] as DuckDBType, nextId)),
  }));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new MoraineError('DUPLICATE_NAME', `Two columns of ${what} are called '${twice}'. Rename one of them.`);
  }
  return { ...relationOf(statement, what, fields), untyped };
}

/** The same for a statement whose columns are known by their names and types, in their order: nothing is asked of the engine. */
export function knownRelation(
  statement: string,
  what: string,
  types: ReadonlyMap<string, IcebergType>,
): Pick<TypedRelation, 'relation' | 'schema'> {
  const nextId = provisionalIds();
  const fields = [...types].map(([name, type]): NestedField => ({ id: nextId(), name, required: false, type }));
  return relationOf(statement, what, fields);
}

function relationOf(
  statement: string,
  what: string,
  fields: readonly NestedField[],
): Pick<TypedRelation, 'relation' | 'schema'> {
  const aliases = fields.map((_, index) => `c${index}`);
  const typed = fields.map(({ name, type }, index) => {
    const column = `The column '${name}' of ${what}`;
    return `${withoutLateTimes(type, `c${index}::${sqlType(type)}`, column)} AS c${index}`;
  });
  return {
    relation: `(SELECT ${typed.join(', ')} FROM (${statement}) AS typed(${aliases.join(', ')}))`,
    schema: assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields }),
  };
}

const TEXT: IcebergType = { kind: 'string' };

/**
 * The columns that are an untyped NULL, by index. DuckDB calls their type INTEGER; beside a BOOLEAN it becomes BOOLEAN, while an integer
 * stays one.
 */
async function untypedColumns(
  connection: Connection,
  statement: string,
  types: readonly DuckDBType[],
): Promise<readonly number[]> {
  const isTyped = (type: DuckDBType | undefined): boolean => type?.typeId !== duckdb.api.DuckDBTypeId.INTEGER;
  const candidates = types.flatMap((type, index) => (isTyped(type) ? [] : [index]));
  if (candidates.length === 0) return [];
  const aliases = types.map((_, index) => `c${index}`).join(', ');
  const tried = candidates.map((index) => `coalesce(c${index}, NULL::BOOLEAN)`).join(', ');
  const beside = await connection.describe(`SELECT ${tried} FROM (${statement}) AS untyped(${aliases})`);
  return candidates.filter((_, place) => isTyped(beside.types[place]));
}

function columnType(what: string, name: string, type: DuckDBType, nextId: () => number): IcebergType {
  if (type.typeId === duckdb.api.DuckDBTypeId.TIMESTAMP_NS) return { kind: 'timestamp_ns' };
  const found = icebergType(type, nextId);
  if (found !== undefined) return found;
  throw new MoraineError(
    'TYPE_MISMATCH',
    `The column '${name}' of ${what} has the type ${String(type)}, which no table can have. Cast it to another.`,
  );
}
