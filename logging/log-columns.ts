/** Columns of a log of served features, called as Feast calls them (`feast/feature_logging.py`). Pure. */
import { MoraineError } from '../errors/index.js';
import { featureTypeToString } from '../features/index.js';
import type { IcebergType } from '../iceberg/index.js';

/** Columns that every log has. */
export const LOG_COLUMNS = {
  /** The time that the answer is as of. Rows are partitioned by its day, and it is the time of the row as an entity row. */
  eventTimestamp: 'event_timestamp',
  /** When the answer was given, by the clock of whoever gave it. */
  logTimestamp: '__log_timestamp',
  /** Id of a request; its rows share it. */
  requestId: '__request_id',
} as const;

export const LOG_PARTITION = `day(${LOG_COLUMNS.eventTimestamp})`;

/** A column of a log. */
export interface LogColumn {
  readonly name: string;
  readonly type: IcebergType;
  readonly required: boolean;
  readonly doc?: string;
}

/** The columns of a feature. */
export interface FeatureColumns {
  readonly value: string;
  readonly timestamp: string;
  readonly status: string;
}

const TIMESTAMPTZ = { kind: 'timestamptz' } as const;
const STRING = { kind: 'string' } as const;

/** A feature's name in a log: that of the column with its value. */
export function featureColumn(alias: string, feature: string): string {
  return `${alias}__${feature}`;
}

/** Names of a feature's three columns. */
export function featureColumns(value: string): FeatureColumns {
  return { value, timestamp: `${value}__timestamp`, status: `${value}__status` };
}

/** The column with the snapshot of a view's online table that was read. */
export function snapshotColumn(view: string): string {
  return `__snapshot_id__${view}`;
}

/** The columns of an answer's rows: the fixed columns, keys, request data, and for each feature value, event time and status. */
export interface LogShape {
  readonly joinKeys: readonly { readonly name: string; readonly type: IcebergType }[];
  readonly requestData: readonly { readonly name: string; readonly type: IcebergType }[];
  readonly features: readonly { readonly alias: string; readonly feature: string; readonly type: IcebergType }[];
  /** Names of the views, each once. */
  readonly views: readonly string[];
}

/**
 * The columns of rows of a shape, in the order in which rows have their values.
 * @throws DUPLICATE_NAME if two of them would have the same name
 */
export function logColumns(shape: LogShape): readonly LogColumn[] {
  const optional = (name: string, type: IcebergType, doc: string): LogColumn => ({ name, type, required: false, doc });
  const columns: readonly LogColumn[] = [
    { name: LOG_COLUMNS.eventTimestamp, type: TIMESTAMPTZ, required: true, doc: 'the time that the answer is as of' },
    { name: LOG_COLUMNS.logTimestamp, type: TIMESTAMPTZ, required: true, doc: 'when the answer was given' },
    { name: LOG_COLUMNS.requestId, type: STRING, required: true, doc: 'the request; its rows share it' },
    ...shape.joinKeys.map(({ name, type }) => optional(name, type, 'join key')),
    ...shape.requestData.map(({ name, type }) => optional(name, type, 'request data')),
    ...shape.features.flatMap(({ alias, feature, type }) => {
      const names = featureColumns(featureColumn(alias, feature));
      return [
        optional(names.value, type, `feature ${alias}:${feature}`),
        optional(names.timestamp, TIMESTAMPTZ, 'event time of the row it is from'),
        optional(names.status, STRING, 'PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE'),
      ];
    }),
    ...shape.views.map((view) =>
      optional(snapshotColumn(view), { kind: 'long' }, `snapshot of the online table of ${view}`),
    ),
  ];
  refuseDuplicates(columns);
  return columns;
}

function refuseDuplicates(columns: readonly LogColumn[]): void {
  const seen = new Map<string, LogColumn>();
  for (const column of columns) {
    const other = seen.get(column.name);
    if (other !== undefined) {
      const both = `${other.doc ?? ''} (${featureTypeToString(other.type)}) and ${column.doc ?? ''} (${featureTypeToString(column.type)})`;
      throw new MoraineError(
        'DUPLICATE_NAME',
        `Two columns of the log would be called '${column.name}': ${both}. Rename one of them, or give the view an alias.`,
      );
    }
    seen.set(column.name, column);
  }
}
