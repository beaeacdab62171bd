/** Reductions as Trino's SQL: what is read of which snapshot, under which names, and what is refused. */
import { expect, test } from 'vitest';
import type { IcebergType, NestedField, Schema, Snapshot, TableMetadata } from '../../../iceberg/index.js';
import { chooseEngine, expectEngine, type SizedRead } from '../../../reduction/engine-choice.js';
import type { LatestReduction, PointInTimeReduction, ReducedColumns } from '../../../reduction/reduction.js';
import { reducedSchema } from '../../../reduction/reduction.js';
import { compileForTrino } from '../../../reduction/trino/compile.js';
import { momentSql, trinoType } from '../../../reduction/trino/trino-types.js';
import type { Table } from '../../../tables/index.js';
import { errorOf } from '../../support/error-code.js';

const field = (id: number, name: string, type: IcebergType, more: Partial<NestedField> = {}): NestedField => ({
  id,
  name,
  required: false,
  type,
  ...more,
});
const schemaOf = (schemaId: number, fields: readonly NestedField[]): Schema => ({
  schemaId,
  identifierFieldIds: [],
  fields,
});

const INNER_BEFORE: IcebergType = { kind: 'struct', fields: [field(11, 'old "name"', { kind: 'int' })] };
const INNER: IcebergType = {
  kind: 'struct',
  fields: [field(12, 'added', { kind: 'string' }), field(11, 'renamed', { kind: 'long' })],
};
const BEFORE = schemaOf(0, [
  field(1, 'Key', { kind: 'int' }),
  field(2, 'at', { kind: 'timestamptz' }),
  field(4, 'before', INNER_BEFORE),
]);
const NOW = schemaOf(1, [
  field(1, 'key now', { kind: 'long' }),
  field(2, 'at', { kind: 'timestamptz' }),
  field(4, 'inner', INNER),
  field(5, 'late', { kind: 'double' }),
]);

function metadataOf(formatVersion: 2 | 3): TableMetadata {
  const snapshots = [{ snapshotId: 7n, schemaId: 0 } as Snapshot, { snapshotId: 8n, schemaId: 1 } as Snapshot];
  const schemas = [BEFORE, NOW];
  return { formatVersion, schemas, currentSchemaId: 1, snapshots, currentSnapshotId: 7n } as unknown as TableMetadata;
}

const named = (metadata: TableMetadata, name = 't', namespace = 'n') => ({
  identifier: { namespace: [namespace], name },
  metadata,
});

const COLUMNS: ReducedColumns = {
  joinKeys: [{ sourceFieldId: 1, type: { kind: 'long' } }],
  timestamp: { sourceFieldId: 2, type: { kind: 'timestamptz' } },
  created: null,
  features: [
    { sourceFieldId: 4, type: INNER },
    { sourceFieldId: 5, type: { kind: 'double' } },
  ],
};
const TABLES = { source: 'c.n.t', files: 'c.s.files', probe: 'c.s.probe', staged: 'c.s.rows' };
const source = (formatVersion: 2 | 3 = 2) => ({ name: 'n.t', table: { metadata: metadataOf(formatVersion) } as Table });
const files = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ path: `s3://b/it's ${index}`, sequenceNumber: 1n }));

const LATEST: LatestReduction = {
  kind: 'latest',
  source: source(),
  columns: COLUMNS,
  groups: [
    { group: 0, keep: 'newest', reads: [{ snapshotId: 7n, files: files(1), startUs: -1n, endUs: null }] },
    { group: 3, keep: 'all', reads: [{ snapshotId: 8n, files: files(201), startUs: null, endUs: 5n }] },
  ],
};

test('columns are those of the snapshot that is read, by their field ids, as what they are now', () => {
  const [head = '', first = '', second = ''] = (compileForTrino(LATEST, TABLES)[0] ?? '').split('\n');
  expect(head).toBe('INSERT INTO c.s.rows ("g", "k0", "t", "f0", "f1", "seq")');
  const inner = `s."before"`;
  const struct = `IF(${inner} IS NULL, NULL, CAST(ROW(CAST(NULL AS varchar), CAST(${inner}."old ""name""" AS bigint)) AS row("added" varchar, "renamed" bigint)))`;
  expect(first).toContain(
    `SELECT element_at(ARRAY[CAST(s."Key" AS bigint)], 1) AS k0, s."at" AS t, ${struct} AS f0, CAST(NULL AS double) AS f1, s."$path" || '' AS path, 0 AS r FROM c.n.t FOR VERSION AS OF 7 AS s`,
  );
  expect(first).toContain(`s."at" >= CAST(from_unixtime_nanos(DECIMAL '-1000') AS timestamp(6) with time zone)`);
  expect(first).toContain(`s."$path" IN ('s3://b/it''s 0')`);
  expect(first).toContain('PARTITION BY k0 ORDER BY t DESC, seq DESC NULLS LAST');
  // What Trino itself derives from a join with the hidden column, it fails on.
  expect(first).toContain('AS u JOIN c.s.files AS f ON f.path = u.path AND f.r = u.r');
  expect(second).toBe('UNION ALL');
  const third = compileForTrino(LATEST, TABLES)[0]?.split('\n')[3] ?? '';
  expect(third).toContain('SELECT s."key now" AS k0, s."at" AS t, s."inner" AS f0, s."late" AS f1');
  expect(third).toContain('1 AS r FROM');
  expect(third).not.toContain('"$path" IN');
  expect(third).toContain('PARTITION BY k0, t ORDER BY seq DESC NULLS LAST');
});

test('a key that was promoted since is hidden from filters, also where the type of then is wanted; others are not', () => {
  const wanted = { ...COLUMNS, joinKeys: [{ sourceFieldId: 1, type: { kind: 'int' } }] } as const;
  const sqlOf = (columns: ReducedColumns, snapshotId: bigint): string => {
    const reads = [{ snapshotId, files: files(1), startUs: null, endUs: null }];
    return compileForTrino({ ...LATEST, columns, groups: [{ group: 0, keep: 'newest', reads }] }, TABLES)[0] ?? '';
  };
  expect(sqlOf(wanted, 7n)).toContain('SELECT element_at(ARRAY[s."Key"], 1) AS k0, s."at" AS t');
  expect(sqlOf(wanted, 7n)).toContain('WHERE element_at(ARRAY[s."Key"], 1) IS NOT NULL AND s."at" IS NOT NULL');
  expect(sqlOf(COLUMNS, 8n)).toContain('SELECT s."key now" AS k0');
});

test('many reads are several statements, of which Trino takes each', () => {
  const [first] = LATEST.groups[0]?.reads ?? [];
  const read = first ?? expect.unreachable();
  const compiled = (reads: readonly (readonly (typeof read)[])[]) => {
    const groups = reads.map((of, group) => ({ group, keep: 'newest' as const, reads: of }));
    return compileForTrino({ ...LATEST, groups }, TABLES);
  };
  const readsIn = (sql: string) => [...sql.matchAll(/ (\d+) AS r FROM/g)].map(([, number]) => Number(number));
  // A read is a stage, of which Trino takes 150 unless told otherwise.
  const many = compiled([Array.from({ length: 150 }, () => read), Array.from({ length: 70 }, () => read)]);
  expect(many.map(readsIn)).toEqual([
    Array.from({ length: 100 }, (_, number) => number),
    Array.from({ length: 100 }, (_, number) => number + 100),
    Array.from({ length: 20 }, (_, number) => number + 200),
  ]);
  const groupsIn = (sql: string) => [...sql.matchAll(/SELECT (\d) AS g/g)].map(([, group]) => group);
  expect(many.map(groupsIn)).toEqual([['0'], ['0', '1'], ['1']]);

  // A statement may have a million characters.
  const files = Array.from({ length: 200 }, (_, index) => ({
    path: `s3://b/${'x'.repeat(500)}${index}`,
    sequenceNumber: 1n,
  }));
  const long = compiled([Array.from({ length: 20 }, () => ({ ...read, files }))]);
  expect(long.flatMap(readsIn)).toEqual(Array.from({ length: 20 }, (_, number) => number));
  expect(long).toHaveLength(3);
  for (const sql of long) expect(sql.length).toBeLessThan(1_000_000);
  // It has the files of a retrieval twice.
  const retrieval: PointInTimeReduction = {
    kind: 'point-in-time',
    source: source(),
    columns: COLUMNS,
    read: { ...read, files: files.map(({ path, sequenceNumber }) => ({ path: path.repeat(5), sequenceNumber })) },
    hasTtl: false,
    knownAsOf: false,
  };
  const [unlisted = ''] = compileForTrino(retrieval, TABLES);
  expect(unlisted).not.toContain('"$path" IN');
  expect(unlisted.length).toBeLessThan(1_000_000);
  expect(compileForTrino({ ...retrieval, read: { ...read, files } }, TABLES)[0]).toContain('"$path" IN');
});

test('what format version 3 has, and types that Trino lacks, are refused with the reason', () => {
  const third = errorOf(() => compileForTrino({ ...LATEST, source: source(3) }, TABLES));
  expect([third.code, third.message]).toEqual([
    'UNSUPPORTED_FEATURE',
    'Table n.t has format version 3, which Trino reads from version 483 on, and Moraine does not ask it to yet. Let DuckDB do this: engine duckdb.',
  ]);
  const nanoseconds = errorOf(() => trinoType({ kind: 'timestamptz_ns' }, "Column 'at'"));
  expect([nanoseconds.code, nanoseconds.message]).toEqual([
    'UNSUPPORTED_FEATURE',
    "Column 'at' is of type timestamptz_ns, of format version 3, which Trino reads from version 483 on, and Moraine does not ask it to yet. Let DuckDB do this: engine duckdb.",
  ]);
  expect(
    trinoType({ kind: 'map', keyId: 1, key: { kind: 'uuid' }, valueId: 2, valueRequired: false, value: INNER }, ''),
  ).toBe('map(uuid, row("added" varchar, "renamed" bigint))');
  expect(momentSql({ kind: 'timestamp' }, 0n)).toBe(
    `CAST(from_unixtime_nanos(DECIMAL '0000') AT TIME ZONE 'UTC' AS timestamp(6))`,
  );
});

test('a retrieval looks for times by sorting, and by a join if rows may have been created too late', () => {
  const created = { sourceFieldId: 2, type: { kind: 'timestamptz' } } as const;
  const [read] = LATEST.groups[1]?.reads ?? [];
  const retrieval: PointInTimeReduction = {
    kind: 'point-in-time',
    source: source(),
    columns: { ...COLUMNS, joinKeys: [], created },
    read: read ?? { snapshotId: 8n, files: [], startUs: null, endUs: null },
    hasTtl: true,
    knownAsOf: false,
  };
  const [sorted] = compileForTrino(retrieval, TABLES);
  // Of no entity: all rows are of one thing.
  expect(sorted).toContain('max(IF(side = 0, t)) OVER (ORDER BY t, side ROWS UNBOUNDED PRECEDING) AS newest');
  expect(sorted).toContain('WHERE side = 1 AND newest IS NOT NULL AND newest >= lo');
  expect(sorted).toContain('ON s.t = w.t');
  const [joined] = compileForTrino({ ...retrieval, knownAsOf: true, hasTtl: false }, TABLES);
  expect(joined).toContain('FROM c.s.probe AS p JOIN');
  expect(joined).toContain('ON s.t <= p.hi AND s.c <= p.known');
  expect(joined).toContain('PARTITION BY r ORDER BY t DESC, c DESC NULLS LAST, seq DESC NULLS LAST');
  expect(reducedSchema(retrieval).fields.map(({ name }) => name)).toEqual(['t', 'c', 'f0', 'f1', 'seq']);
});

test('a run counts before its view, and a view before the project', () => {
  const project = { type: 'auto', trinoAboveBytes: 100, trino: {} as never } as const;
  const read = (bytes: bigint, formatVersion: 2 | 3 = 2, catalog?: object) =>
    ({ bytes, snapshotIds: [7n], source: { ...named(metadataOf(formatVersion)), catalog } }) as unknown as SizedRead;
  expect(chooseEngine(undefined, read(1n))).toEqual({ engine: 'duckdb', reason: null });
  expect(chooseEngine(project, read(101n))).toEqual({
    engine: 'trino',
    reason: '101 bytes after pruning are more than engine.trinoAbove (100 bytes)',
  });
  expect(chooseEngine(project, read(100n)).engine).toBe('duckdb');
  expect(chooseEngine(project, read(1n), { view: 'trino' })).toEqual({
    engine: 'trino',
    reason: 'the view asks for trino',
  });
  expect(chooseEngine(project, read(101n), { run: 'duckdb', view: 'trino' })).toEqual({
    engine: 'duckdb',
    reason: 'the run asks for duckdb',
  });
  const above = '101 bytes after pruning are more than engine.trinoAbove (100 bytes), but ';
  expect(chooseEngine(project, read(101n, 3))).toEqual({
    engine: 'duckdb',
    reason: `${above}the table has format version 3, which Trino reads from version 483 on, and Moraine does not ask it to yet`,
  });
  expect(chooseEngine(project, read(101n, 2, { name: 'door', isReadOnly: true }))).toEqual({
    engine: 'duckdb',
    reason: `${above}tables of catalog door are only read`,
  });
  expect(chooseEngine(project, read(1n, 3), { view: 'trino' }).engine).toBe('trino');
  const missing = errorOf(() => chooseEngine({ ...project, trino: null }, read(1n), { run: 'trino' }));
  expect([missing.code, missing.message]).toEqual([
    'CONFIG_INVALID',
    'the run asks for trino, but it is not said where Trino is: set trino.uri.',
  ]);
});

/** A table with two columns whose names differ by case alone, as of snapshot 7 or now. */
const alike = (isBefore: boolean): TableMetadata => {
  const twins = (schema: Schema): Schema => ({
    ...schema,
    fields: [...schema.fields, field(9, 'AT', { kind: 'int' })],
  });
  return { ...metadataOf(2), schemas: isBefore ? [twins(BEFORE), NOW] : [BEFORE, twins(NOW)] };
};

test('a table that Trino does not find by its name, and columns that it mixes up, are left to DuckDB by auto, and refused else', () => {
  const project = { type: 'auto', trinoAboveBytes: 100, trino: {} as never } as const;
  const large = '101 bytes after pruning are more than engine.trinoAbove (100 bytes)';
  const upper = (name: string) => `Trino reads names of tables in lower case, and does not find ${name}`;
  const mixed = "Trino does not tell the columns 'at' and 'AT' apart";
  const cases = [
    [named(metadataOf(2), 'Rides'), 'n.Rides', upper('n.Rides')],
    [named(metadataOf(2), 't', 'Lake'), 'Lake.t', upper('Lake.t')],
    [named(alike(true)), 'n.t', mixed],
    [named(alike(false)), 'n.t', mixed],
  ] as const;
  for (const [table, name, reason] of cases) {
    const read = { bytes: 101n, snapshotIds: [7n, null], source: table };
    expect(chooseEngine(project, read)).toEqual({ engine: 'duckdb', reason: `${large}, but ${reason}` });
    expect(expectEngine('trino', 100, read).reason).toBe(`the view asks for trino, which is refused: ${reason}`);
    expect(chooseEngine(project, read, { run: 'trino' }).engine).toBe('trino');
    const refused = errorOf(() =>
      compileForTrino({ ...LATEST, source: { name, table: table as unknown as Table } }, TABLES),
    );
    expect([refused.code, refused.message]).toEqual([
      'UNSUPPORTED_FEATURE',
      `Table ${name}: ${reason}. Let DuckDB do this: engine duckdb.`,
    ]);
  }
  // Columns of a schema that is not read are not in the way.
  const read = { bytes: 101n, snapshotIds: [8n], source: named(alike(true)) };
  expect(chooseEngine(project, read).engine).toBe('trino');
});

test('a state that the catalog does not show Trino is left to DuckDB, whoever asks', () => {
  const project = { type: 'duckdb', trinoAboveBytes: 100, trino: {} as never } as const;
  const read = (snapshotIds: readonly (bigint | null)[], hasTableRefs = false) => {
    const source = { ...named(metadataOf(2)), catalog: { name: 'nessie', hasTableRefs } };
    return { bytes: 101n, snapshotIds, source } as unknown as SizedRead;
  };
  const hidden = 'but catalog nessie shows Trino the newest state of a table alone';
  const large = '101 bytes after pruning are more than engine.trinoAbove (100 bytes)';
  expect(chooseEngine(project, read([7n]), { run: 'trino' }).engine).toBe('trino');
  expect(chooseEngine(project, read([7n, 6n]), { run: 'trino' })).toEqual({
    engine: 'duckdb',
    reason: `the run asks for trino, ${hidden}`,
  });
  expect(chooseEngine(project, read([6n]), { view: 'auto' })).toEqual({
    engine: 'duckdb',
    reason: `${large}, ${hidden}`,
  });
  expect(chooseEngine(project, read([6n], true), { view: 'auto' })).toEqual({ engine: 'trino', reason: large });
  expect(chooseEngine(project, read([6n]), { run: 'duckdb' }).reason).toBe('the run asks for duckdb');
});

test('the engine that an estimate expects is that of the view, else that of auto, with what Trino does not read', () => {
  const read = (bytes: bigint, formatVersion: 2 | 3 = 2): SizedRead => ({
    bytes,
    snapshotIds: [7n],
    source: named(metadataOf(formatVersion)),
  });
  const large = '101 bytes after pruning are more than engine.trinoAbove (100 bytes)';
  expect(expectEngine(undefined, 100, read(101n))).toEqual({ engine: 'trino', reason: large });
  expect(expectEngine('auto', 100, read(101n, 3))).toEqual({
    engine: 'duckdb',
    reason: `${large}, but the table has format version 3, which Trino reads from version 483 on, and Moraine does not ask it to yet`,
  });
  expect(expectEngine('duckdb', 100, read(101n))).toEqual({ engine: 'duckdb', reason: 'the view asks for duckdb' });
  expect(expectEngine('trino', 100, read(1n))).toEqual({ engine: 'trino', reason: 'the view asks for trino' });
  expect(expectEngine('trino', 100, read(1n, 3))).toEqual({
    engine: 'trino',
    reason:
      'the view asks for trino, which is refused: the table has format version 3, which Trino reads from version 483 on, and Moraine does not ask it to yet',
  });
});
