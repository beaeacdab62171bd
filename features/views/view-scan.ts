/** Reading the columns of a view from its source table's files. */
import { type Connection, columnAlias, readableScanSql } from '../../engine/index.js';
import type { Schema } from '../../iceberg/index.js';
import type { OpenedScan } from '../../scans/index.js';
import type { LatestRequest, NamedColumn } from './latest-per-entity.js';
import type { ResolvedColumn, ResolvedView } from './resolve-view.js';

/** Column of a view's scan with the data sequence number of each row's file. */
export const SEQUENCE_COLUMN = 'sequence_number';

/** Columns of a view's scan with the place of each row, if they are asked for: its file's in the list of files, and its own in the file. */
export const PLACE_COLUMNS = { file_place: 'file_number', row_place: 'row_number' } as const;

/** All columns that a view reads, each once. */
export function viewColumns(view: ResolvedView): readonly ResolvedColumn[] {
  const created = view.created === null ? [] : [view.created];
  return [...view.joinKeys, view.timestamp, ...created, ...view.features];
}

/** The source's schema with the types that the view promotes columns to, so that the scan itself promotes. */
export function viewScanSchema(view: ResolvedView, source: Schema): Schema {
  const types = new Map(viewColumns(view).map((column) => [column.sourceFieldId, column.type]));
  return { ...source, fields: source.fields.map((field) => ({ ...field, type: types.get(field.id) ?? field.type })) };
}

/**
 * A relation of a view's rows for a FROM clause, readable on this connection: columns are called by `columnAlias` of their field id, so that names which
 * differ only by case do not meet, {@link SEQUENCE_COLUMN}, and {@link PLACE_COLUMNS} if asked for.
 * @param options `sequenceFieldId`: a column that holds the sequence number of each row; unless given it is that of the row's file
 */
export async function viewScanSql(
  connection: Connection,
  view: ResolvedView,
  source: Schema,
  scan: OpenedScan['scan'],
  options: { readonly withPlaces?: boolean; readonly sequenceFieldId?: number | undefined } = {},
): Promise<string> {
  const { sequenceFieldId } = options;
  const columns = [
    ...new Set([
      ...viewColumns(view).map((column) => column.sourceFieldId),
      ...(sequenceFieldId === undefined ? [] : [sequenceFieldId]),
    ]),
  ];
  const schema = viewScanSchema(view, source);
  const places = { fileNumber: PLACE_COLUMNS.file_place, rowNumber: PLACE_COLUMNS.row_place };
  const ofFile = sequenceFieldId === undefined ? { sequenceNumber: SEQUENCE_COLUMN } : {};
  const extras = { ...ofFile, ...(options.withPlaces === true ? places : {}) };
  const rows = await readableScanSql(connection, { ...scan, schema, columns, naming: 'id', extras });
  if (sequenceFieldId === undefined) return rows;
  return `(SELECT *, ${columnAlias(sequenceFieldId)} AS ${SEQUENCE_COLUMN} FROM ${rows})`;
}

/** The request that extracts a view's newest rows from a relation made by {@link viewScanSql}. */
export function latestOfView(
  view: ResolvedView,
  relation: string,
  names: { readonly timestamp: string; readonly created: string },
): LatestRequest {
  const named = (column: ResolvedColumn, as = column.name): NamedColumn => ({
    column: columnAlias(column.sourceFieldId),
    as,
  });
  return {
    relation,
    keys: view.joinKeys.map((key) => named(key)),
    timestamp: named(view.timestamp, names.timestamp),
    created: view.created === null ? undefined : named(view.created, names.created),
    sequenceNumber: SEQUENCE_COLUMN,
    features: view.features.map((feature) => ({ ...named(feature), type: feature.type })),
  };
}
