/** Which rows of a table the rows of a batch replace, and which of the batch lose to rows that the table has: written as deletes that go with the batch. */
import { randomUUID } from 'node:crypto';
import { type FoundRows, foundRows, writeDeletes } from '../../deletes/index.js';
import {
  type Connection,
  type Engine,
  jsonOrNullSql,
  type Matching,
  plainValue,
  quoteIdentifier,
  readableScanSql,
} from '../../engine/index.js';
import {
  and,
  type BoundExpression,
  bindReference,
  currentSchema,
  currentSnapshot,
  type DataFile,
  type ManifestFile,
  type NestedField,
  type PrimitiveValue,
} from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { type FileToOpen, fileToOpen, openFiles } from '../../scans/index.js';
import {
  type NewDeletes,
  type PlannedFile,
  planFiles,
  readManifestEntries,
  requireSpec,
  type Table,
} from '../../tables/index.js';
import { type BreakTies, loseTies } from './break-ties.js';
import { stageReplacing } from './stage-replacing.js';
import { type UpsertColumns, type UpsertOptions, upsertColumns } from './upsert-options.js';

/** Deletes of a batch on one base. */
export interface UpsertDeletes extends NewDeletes {
  /** Rows of the batch that are below those that the table has, or lose a tie with them. */
  readonly lost: bigint;
  /** The batch's files, if others take their place. */
  readonly unlisted: readonly Location[];
}

/** How rows of a batch and of the table are compared. */
export interface UpsertComparison extends UpsertOptions {
  /** Absent: of equal ones the batch's row is the newer. */
  readonly breakTies?: BreakTies | undefined;
}

/** Tables from this version on have row ids, which rows keep when they are replaced. */
const ROW_LINEAGE_VERSION = 3;

/**
 * Finds, on one state of a table, the rows with the keys of a staged batch, in any partition, and writes deletes: of the table's rows where the batch's is not below them,
 * of the batch's otherwise, and where it loses a tie. In a table with row lineage the batch's files are written anew if the table has any of its keys: with the row ids of the rows that they
 * replace, and without the rows that are below. All of it holds for a commit on this state alone.
 * @param manifest lists the batch's files, which have one row for each key
 */
export async function upsertDeletes(
  engine: Engine,
  base: Table,
  manifest: ManifestFile,
  options: UpsertComparison,
  attemptId: string,
): Promise<UpsertDeletes> {
  const { breakTies } = options;
  const columns = { ...upsertColumns(currentSchema(base.metadata), options), judgesTies: breakTies !== undefined };
  const files = (await readManifestEntries(base.io, base.metadata, manifest)).map(({ dataFile }) => dataFile);
  const staged = plannedFiles(base, files);
  return await engine.withConnection(async (connection) => {
    const names = { staged: temporary('staged'), stored: temporary('stored') };
    try {
      const rows = await keyRows(connection, base, columns, staged);
      await connection.run(`CREATE TEMP TABLE ${names.staged} AS ${rows}`);
      const stored = await loadStored(connection, base, columns, names);
      if (breakTies !== undefined) await loseTies(connection, names.stored, breakTies);
      const lost = await foundRows(connection, lostSql(names), files);
      const replaced = await foundRows(connection, replacedSql(names, lost.length > 0), stored);
      const rewrites = base.metadata.formatVersion >= ROW_LINEAGE_VERSION && lost.length + replaced.length > 0;
      const rewritten = rewrites
        ? { rewritten: await stageReplacing(connection, base, staged, keptSql(names), attemptId) }
        : {};
      const written = await writeDeletes(base, connection, rewrites ? replaced : [...lost, ...replaced], attemptId);
      return {
        ...written,
        ...rewritten,
        lost: countOf(lost),
        unlisted: rewrites ? [...files.map(({ filePath }) => filePath), manifest.manifestPath] : [],
      };
    } finally {
      for (const name of Object.values(names)) await connection.run(`DROP TABLE IF EXISTS ${name}`);
    }
  });
}

const countOf = (found: readonly FoundRows[]): bigint =>
  BigInt(found.reduce((sum, { positions }) => sum + positions.length, 0));

const temporary = (what: string): string => `moraine_${what}_${randomUUID().replaceAll('-', '_')}`;

/** Staged files as files of the snapshot that would have them. */
function plannedFiles({ metadata }: Table, files: readonly DataFile[]): readonly PlannedFile[] {
  const sequenceNumber = metadata.lastSequenceNumber + 1n;
  return files.map((file) => ({ file, spec: requireSpec(metadata, file.specId), sequenceNumber }));
}

/**
 * Makes the table of the stored rows with keys of the batch: file, position, row id, the sequence number `seq` of the snapshot that wrote them, the row of the batch,
 * `staged_file`, `staged_pos` and `key`, and whether that one is below or tied.
 * @returns the files that `file` counts
 */
async function loadStored(
  connection: Connection,
  base: Table,
  columns: ComparedColumns,
  { staged, stored }: { readonly staged: string; readonly stored: string },
): Promise<readonly DataFile[]> {
  const [snapshot, schema] = [currentSnapshot(base.metadata), currentSchema(base.metadata)];
  const filter = await keyRange(connection, base, columns, staged);
  const plan = await planFiles(base, {
    snapshot,
    schema,
    appliesDeletes: true,
    ...(filter === null ? {} : { filter }),
  });
  if (plan.files.length === 0) {
    await connection.run(`CREATE TEMP TABLE ${stored} AS ${storedSql(columns, staged, staged)} AND false`);
    return [];
  }
  const on = columns.key.map(({ id }, index) => ({ id, column: `k${index}` }));
  const rows = await keyRows(connection, base, columns, plan.files, { relation: staged, on });
  await connection.run(`CREATE TEMP TABLE ${stored} AS ${storedSql(columns, `(${rows})`, staged)}`);
  return plan.files.map(({ file }) => file);
}

interface ComparedColumns extends UpsertColumns {
  readonly judgesTies: boolean;
}

/** A statement that gives rows: file, position, row id, sequence number `seq`, key `k0` and so on, order `o`. */
async function keyRows(
  connection: Connection,
  base: Table,
  columns: ComparedColumns,
  files: readonly PlannedFile[],
  matching?: Matching,
): Promise<string> {
  const schema = currentSchema(base.metadata);
  const open = await openFiles(connection, base, files.map(withSequence));
  const read = new Set([...columns.key, columns.order].map(({ id }) => id));
  const places = { fileNumber: 'moraine_file', rowNumber: 'moraine_pos', rowId: 'moraine_id' };
  const extras = columns.judgesTies ? { ...places, sequenceNumber: 'moraine_seq' } : places;
  const wanted = matching === undefined ? {} : { matching };
  const rows = await readableScanSql(connection, { ...open, ...wanted, schema, columns: [...read], extras });
  const keys = columns.key.map(({ name }, index) => `${quoteIdentifier(name)} AS k${index}`);
  return `SELECT moraine_file AS file, moraine_pos AS pos, moraine_id AS id, ${columns.judgesTies ? 'moraine_seq' : 'NULL::BIGINT'} AS seq, ${keys.join(', ')}, ${quoteIdentifier(columns.order.name)} AS o FROM ${rows}`;
}

/** Rows that do not say which snapshot wrote them have the sequence number of their file, below zero where a rewrite has only kept one that is high enough. */
function withSequence(planned: PlannedFile): FileToOpen {
  const { sequenceNumber, fileSequenceNumber } = planned;
  const isRewritten = fileSequenceNumber !== undefined;
  return { ...fileToOpen(planned), sequenceNumber: isRewritten ? -sequenceNumber : sequenceNumber };
}

/** Bounds of the batch's keys, column by column, by which files are left out; null: it has no rows. */
async function keyRange(
  connection: Connection,
  base: Table,
  { key }: UpsertColumns,
  staged: string,
): Promise<BoundExpression | null> {
  const schema = currentSchema(base.metadata);
  const bounds = key.flatMap((_, index) => [`min(k${index})`, `max(k${index})`]).join(', ');
  const [values = []] = await connection.rows(`SELECT ${bounds} FROM ${staged}`);
  const literal = ({ type }: NestedField, at: number): PrimitiveValue | null =>
    plainValue(type, values[at] ?? null) as PrimitiveValue | null;
  const conditions: BoundExpression[] = [];
  for (const [index, field] of key.entries()) {
    const [lower, upper] = [literal(field, 2 * index), literal(field, 2 * index + 1)];
    if (lower === null || upper === null) return null;
    const ref = bindReference(field.name, schema);
    conditions.push({ op: 'gt-eq', ref, literal: lower }, { op: 'lt-eq', ref, literal: upper });
  }
  return and(...conditions);
}

interface Names {
  readonly staged: string;
  readonly stored: string;
}

/** Null is below all values; DuckDB has NaN above all others. */
const IS_BELOW = 's.o IS NOT NULL AND (t.o IS NULL OR s.o > t.o)';

function storedSql({ key, judgesTies }: ComparedColumns, stored: string, staged: string): string {
  const sameKey = key.map((_, index) => `s.k${index} = t.k${index}`).join(' AND ');
  const ofTies = judgesTies
    ? `, s.seq, s.o IS NOT DISTINCT FROM t.o AS tied, ${keyJsonSql(key, (_, index) => `t.k${index}`)} AS key`
    : '';
  return `SELECT s.file, s.pos, s.id, t.file AS staged_file, t.pos AS staged_pos, ${IS_BELOW} AS below${ofTies} FROM ${stored} AS s, ${staged} AS t WHERE ${sameKey}`;
}

const lostSql = ({ stored }: Names): string => `SELECT DISTINCT staged_file, staged_pos FROM ${stored} WHERE below`;

/** A row that the table has goes if the batch's row of its key stays. */
function replacedSql(names: Names, losesAny: boolean): string {
  const all = `SELECT file, pos FROM ${names.stored}`;
  return losesAny ? `${all} WHERE (staged_file, staged_pos) NOT IN (${lostSql(names)})` : all;
}

/** The batch's rows that stay, with the id of the row that each replaces: of several the lowest. */
function keptSql({ staged, stored }: Names): string {
  return `SELECT t.file, t.pos, min(s.id) AS id FROM ${staged} AS t LEFT JOIN ${stored} AS s ON t.file = s.staged_file AND t.pos = s.staged_pos
    GROUP BY t.file, t.pos HAVING NOT coalesce(bool_or(s.below), false)`;
}

/** SQL of a key as the text of a JSON array, by which it is known again when types were widened. */
export function keyJsonSql(key: UpsertColumns['key'], columnOf: (field: NestedField, index: number) => string): string {
  const values = key.map((field, index) => jsonOrNullSql(field.type, columnOf(field, index)));
  return `'[' || ${values.join(" || ',' || ")} || ']'`;
}

/** Of records in the order in which they were read, the rows of a table numbered by `rowid`, deletes all of each key but the one that stays. */
export async function keepNewestOfEachKey(
  connection: Connection,
  records: string,
  { key, order }: UpsertColumns,
): Promise<void> {
  const keys = key.map(({ name }) => quoteIdentifier(name)).join(', ');
  // Usually no key occurs twice, which is found sooner than the rows are ranked.
  const repeated = await connection.rows(`SELECT 1 FROM ${records} GROUP BY ${keys} HAVING count(*) > 1 LIMIT 1`);
  if (repeated.length === 0) return;
  const place = `row_number() OVER (PARTITION BY ${keys} ORDER BY ${quoteIdentifier(order.name)} DESC NULLS LAST, rowid DESC)`;
  await connection.run(`DELETE FROM ${records} WHERE rowid IN (SELECT rowid FROM ${records} QUALIFY ${place} > 1)`);
}
