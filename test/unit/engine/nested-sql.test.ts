/** The SQL that reads and writes nested columns grows with their depth, not with two to its power. */
import { expect, test } from 'vitest';
import { scanSql } from '../../../engine/index.js';
import { nestedColumn } from '../../../engine/input/input-nested.js';
import { jsonSql } from '../../../engine/output/json-text.js';
import { macroStatements } from '../../../engine/sql/lambda-sql.js';
import type { IcebergType } from '../../../iceberg/index.js';
import { localPath } from '../../../locations/index.js';
import { field, schemaOf } from './harness.js';

function nested(kind: 'list' | 'map', depth: number, id = 10): IcebergType {
  if (depth === 0) return { kind: 'long' };
  const inner = nested(kind, depth - 1, id + 2);
  if (kind === 'list') return { kind, elementId: id, elementRequired: false, element: inner };
  return { kind, keyId: id, key: { kind: 'string' }, valueId: id + 1, valueRequired: false, value: inner };
}

/** Characters of a statement and of the macros that it needs. */
const lengthOf = (sql: string): number =>
  [sql, ...macroStatements(sql, new Set()).values()].reduce((sum, text) => sum + text.length, 0);

const WRITERS: Readonly<Record<string, (type: IcebergType) => string>> = {
  'JSON text': (type) => jsonSql(type, 'c'),
  'a value from JSON': (type) => nestedColumn('c', type, 'json').sql,
  'what does not fit in JSON': (type) => nestedColumn('c', type, 'json').reason ?? '',
  'a scan': (type) =>
    scanSql({ schema: schemaOf(field(1, 'c', type)), files: [{ path: localPath('/f'), recordCount: 1n }] }),
};

test.each(Object.keys(WRITERS))('%s', (name) => {
  for (const kind of ['list', 'map'] as const) {
    const [ten, twenty] = [10, 20].map((depth) => lengthOf(WRITERS[name]?.(nested(kind, depth)) ?? ''));
    expect.soft((twenty ?? 0) / (ten ?? 0), kind).toBeGreaterThan(1);
    expect.soft((twenty ?? 0) / (ten ?? 0), kind).toBeLessThan(2.3);
  }
});
