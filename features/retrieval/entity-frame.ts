/** The entity frame: the rows for which features are wanted, numbered in their own order. */
import { didYouMean, MoraineError } from '../../errors/index.js';
import type { IcebergType, NestedField, Schema } from '../../iceberg/index.js';
import { featureTypeToString, isNanosecondType, isTimestampType, sameType } from '../definitions/feature-type.js';
import type { SqlSession } from '../sql-session.js';
import type { ResolvedView } from '../views/resolve-view.js';
import type { TimeUnit } from './point-in-time-sql.js';

/** Entity rows as a relation. */
export interface EntityRelation {
  /** Anything that can follow FROM. Columns are taken by position. */
  readonly relation: string;
  readonly schema: Schema;
  /** Names of columns that are only NULL, whatever type the schema gives them. */
  readonly untyped?: readonly string[];
  /** Makes an error of reading the relation say what it is about. */
  readonly explain?: (error: unknown) => unknown;
}

/** An entity frame in a temporary table: `r` numbers its rows, `c0..` are its columns. */
export interface EntityFrame {
  readonly table: string;
  readonly columns: readonly NestedField[];
  /** SQL of the row's time as a 64-bit count of `timeUnit`. */
  readonly time: string;
  readonly timeUnit: TimeUnit;
  readonly rowCount: number;
}

/** The name that an entity frame's time has unless there is only one timestamp column. */
export const EVENT_TIMESTAMP = 'event_timestamp';

/** Loads an entity frame into a temporary table of this connection. */
export async function loadEntityFrame(
  session: SqlSession,
  entities: EntityRelation,
  table: string,
): Promise<EntityFrame> {
  const columns = entities.schema.fields;
  const time = columns.indexOf(entityTimestamp(columns));
  const names = columns.map((_, index) => `c${index}`);
  const numbered = ['row_number() OVER () - 1 AS r', ...names].join(', ');
  await session.run(
    `CREATE TEMPORARY TABLE ${table} AS SELECT ${numbered} FROM ${entities.relation} AS e(${names.join(', ')})`,
  );
  const [[count] = []] = await session.rows(`SELECT count(*) FROM ${table}`);
  const timeType = columns[time]?.type ?? { kind: 'timestamp' };
  return { table, columns, ...timeSql(`c${time}`, timeType), rowCount: Number(count) };
}

/**
 * The column with the time of each row: `event_timestamp`, else the only timestamp column.
 * @throws COLUMN_NOT_FOUND listing the candidates; TYPE_MISMATCH
 */
export function entityTimestamp(columns: readonly NestedField[]): NestedField {
  const named = columns.find((column) => column.name === EVENT_TIMESTAMP);
  if (named !== undefined) {
    if (isTimestampType(named.type) || named.type.kind === 'date') return named;
    const type = featureTypeToString(named.type);
    throw new MoraineError(
      'TYPE_MISMATCH',
      `Column '${EVENT_TIMESTAMP}' of the entity rows is of type ${type}, not a timestamp.`,
    );
  }
  const candidates = columns.filter((column) => isTimestampType(column.type));
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  const list =
    candidates.length === 0
      ? 'none is a timestamp'
      : `these are timestamps: ${candidates.map((c) => `'${c.name}'`).join(', ')}`;
  throw new MoraineError(
    'COLUMN_NOT_FOUND',
    `The entity rows have no column '${EVENT_TIMESTAMP}', and of their columns ${list}. Rename the right one to '${EVENT_TIMESTAMP}'.`,
  );
}

/** A time column as a count of its unit; a date is its midnight, UTC. */
export function timeSql(column: string, type: IcebergType): { readonly time: string; readonly timeUnit: TimeUnit } {
  if (isNanosecondType(type)) return { time: `epoch_ns(${column})`, timeUnit: 'ns' };
  return { time: type.kind === 'date' ? `epoch_us(${column}::TIMESTAMP)` : `epoch_us(${column})`, timeUnit: 'us' };
}

/**
 * SQL of a view's join keys in the frame, each of the type that the view has.
 * @throws COLUMN_NOT_FOUND with the nearest names; TYPE_MISMATCH where equality would not be exact
 */
export function frameKeys(
  frame: Pick<EntityFrame, 'columns'>,
  view: ResolvedView,
  joinKeyMap: ReadonlyMap<string, string>,
): readonly string[] {
  return view.joinKeys.map((key) => {
    const name = joinKeyMap.get(key.name) ?? key.name;
    const index = frame.columns.findIndex((column) => column.name === name);
    const column = frame.columns[index];
    if (column === undefined) {
      const hint = didYouMean(
        name,
        frame.columns.map((candidate) => candidate.name),
      );
      throw new MoraineError(
        'COLUMN_NOT_FOUND',
        `View '${view.name}' is joined on '${name}', which the entity rows do not have. ${hint}`,
      );
    }
    const sql = convertKey(`c${index}`, column.type, key.type);
    if (sql !== undefined) return sql;
    const message = `Join key '${name}' is of type ${featureTypeToString(column.type)} in the entity rows, but ${featureTypeToString(key.type)} in view '${view.name}'.`;
    throw new MoraineError('TYPE_MISMATCH', message);
  });
}

/** A key as another type, or undefined if equal values could differ afterwards, or different ones be equal. */
function convertKey(column: string, from: IcebergType, to: IcebergType): string | undefined {
  if (sameType(from, to)) return column;
  const pair = `${from.kind} ${to.kind}`;
  switch (pair) {
    case 'int long':
      return `${column}::BIGINT`;
    // A number that does not fit is not a key of the view, and null matches nothing.
    case 'long int':
      return `TRY_CAST(${column} AS INTEGER)`;
    case 'string uuid':
      return `TRY_CAST(${column} AS UUID)`;
    case 'fixed uuid':
    case 'binary uuid':
      return `CASE WHEN octet_length(${column}) = 16 THEN hex(${column})::UUID END`;
    case 'string date':
      return `TRY_CAST(${column} AS DATE)`;
    case 'timestamptz timestamp':
      return `(${column} AT TIME ZONE 'UTC')`;
    case 'timestamp timestamptz':
      return `(${column} AT TIME ZONE 'UTC')`;
    case 'timestamp_ns timestamptz_ns':
    case 'timestamptz_ns timestamp_ns':
    case 'binary fixed':
    case 'fixed binary':
    case 'fixed fixed':
      return column;
    case 'int decimal':
    case 'long decimal':
    case 'decimal decimal':
      return exactDecimal(column, from, to);
    default:
      return undefined;
  }
}

/** A number as a decimal, if it is one exactly. */
function exactDecimal(column: string, from: IcebergType, to: IcebergType): string | undefined {
  if (to.kind !== 'decimal') return undefined;
  if (from.kind === 'decimal' && from.scale > to.scale) return undefined;
  return `TRY_CAST(${column} AS DECIMAL(${to.precision}, ${to.scale}))`;
}
