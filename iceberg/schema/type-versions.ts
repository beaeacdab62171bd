/** Types that not every format version has. Source: Apache Iceberg specification, "Primitive Types" ("Added by version"). */
import { MoraineError } from '../../errors/index.js';
import { allFields } from './schema.js';
import { typeToString } from './schema-json.js';
import type { IcebergType, Schema } from './types.js';

const SINCE_VERSION_3: ReadonlySet<IcebergType['kind']> = new Set([
  'timestamp_ns',
  'timestamptz_ns',
  'unknown',
  'unsupported',
]);

/** A column, at any depth, of a type that tables have from version 3 on. */
export interface VersionThreeColumn {
  readonly path: string;
  readonly type: IcebergType;
}

export function versionThreeColumns(schema: Schema): readonly VersionThreeColumn[] {
  return allFields(schema).flatMap(({ field: { type }, path }) =>
    SINCE_VERSION_3.has(type.kind) ? [{ path, type }] : [],
  );
}

/**
 * Refuses columns that a table of version 2 cannot have: no other engine would read it.
 * @throws SCHEMA_INVALID naming the column
 */
export function requireVersionTwoTypes(schema: Schema): void {
  const [first] = versionThreeColumns(schema);
  if (first === undefined) return;
  const { path, type } = first;
  const remedy =
    'Give it another type (of times: microseconds), or write a table of version 3 or a Parquet file instead.';
  const message = `Column ${JSON.stringify(path)} of type ${typeToString(type)} needs a table of format version 3. ${remedy}`;
  throw new MoraineError('SCHEMA_INVALID', message, { details: { column: path } });
}
