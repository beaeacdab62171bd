/** Rows that an application pushes to a push source: to the source tables and the online tables of every view that names it. */
import { createHash, randomUUID } from 'node:crypto';
import type { Connection } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import type { NestedField, Schema } from '../iceberg/index.js';
import { type BatchRows, type OnlineWriteDeps, writeOnlineBatch } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { type IdempotencyKey, idempotencyKey } from '../tables/index.js';
import { exactRows, noRows } from './input-columns.js';
import { columnProblem, type PushPlan, type PushTarget, type PushTo } from './push-plan.js';
import { type PushResult, pushRows } from './push-rows.js';
import { type OnlineRows, openRows } from './write-online.js';

/** Rows for a push source. */
export interface PushRequest {
  /** The push source, as `pushSource` of feature views names it. */
  readonly source: string;
  /**
   * Columns by the names that they have in the source tables: join keys, event time, the columns of the features and, if they are known, created times. Each view and
   * table takes those that it needs. Times without a zone are UTC.
   */
  readonly rows: OnlineRows;
  /**
   * `online` (by default): into the online tables, as rows of the client's own, which rebuilds from the source keep. `offline`: into the source tables. `online_and_offline`:
   * into both, source tables first; when rows are deleted there later, they go from the online tables, too.
   */
  readonly to?: PushTo;
  /** A push that is repeated under its key within 24 hours writes what is not written yet, and nothing twice. */
  readonly key?: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes rows to every view that names a push source, in a commit for each table. Nothing is written unless the rows fit all of them.
 * @throws PUSH_SOURCE_NOT_FOUND; INVALID_ARGUMENT if no view of the source is online; COLUMN_NOT_FOUND for a column that is missing, or that no source table has; TYPE_MISMATCH;
 * INPUT_UNREADABLE; MATERIALIZATION_REQUIRED; IDEMPOTENCY_KEY_REUSED if the key was used for another source or target; COMMIT_CONFLICT; COMMIT_STATE_UNKNOWN
 */
export async function push(project: Project, request: PushRequest): Promise<PushResult> {
  const { source, rows, to = 'online', key, signal } = request;
  const deps = await materializationDeps(project);
  const table = `moraine_push_${randomUUID().replaceAll('-', '')}`;
  let isCollected = false;
  try {
    return await pushRows(
      {
        ...deps,
        writeOnline: (view, { rows: batch, ...options }) =>
          writeOnlineBatch(deps, { ...batch, ...options, view, signal }),
      },
      {
        source,
        to,
        key: key === undefined ? undefined : keyOf(key, source, to),
        signal,
        input: {
          open: (plan, targets) => {
            isCollected = true;
            return collectRows(project, deps, { plan, targets, rows, signal, table });
          },
        },
      },
    );
  } finally {
    if (isCollected) await deps.engine.withConnection((connection) => connection.run(`DROP TABLE IF EXISTS ${table}`));
  }
}

/** Rows may come from a table or a query: they are not compared. */
function keyOf(key: string, source: string, to: PushTo): IdempotencyKey {
  return idempotencyKey(`push/${key}`, createHash('sha256').update(`${to}/${source}`).digest('hex'));
}

interface RowsToCollect {
  readonly plan: PushPlan;
  readonly targets: readonly PushTarget[];
  readonly rows: OnlineRows;
  readonly signal: AbortSignal | undefined;
  /** Name of the table that they are collected in. */
  readonly table: string;
}

/** Reads the rows once, so that every table gets the same: into a table of the engine that all its connections see. */
async function collectRows(
  project: Project,
  deps: OnlineWriteDeps,
  { plan, targets, rows, signal, table }: RowsToCollect,
): Promise<(target: PushTarget) => BatchRows> {
  const releases: (() => Promise<void>)[] = [];
  const collect = async (connection: Connection): Promise<Schema> => {
    const opened = await openRows({ project, deps, connection, signal, releases }, rows, plan.types);
    const { schema, relation } = opened;
    const { fields } = schema;
    const names = fields.map(({ name }) => name);
    const problem = fields.length === 0 ? undefined : columnProblem(plan, targets, names, 'The rows have');
    if (problem !== undefined)
      throw new MoraineError('COLUMN_NOT_FOUND', problem.message, { details: { columns: problem.columns } });
    if (fields.length > 0) {
      const aliases = fields.map((_, index) => `i${index}`).join(', ');
      await connection
        .run(`CREATE TABLE ${table} AS SELECT * FROM (SELECT * FROM ${relation}) AS rows(${aliases})`)
        .catch((error: unknown) => {
          throw opened.explain?.(error) ?? error;
        });
    }
    return schema;
  };
  try {
    const schema = await deps.engine.withConnection(collect, { signal });
    return (target) => rowsFor(target, schema, table);
  } finally {
    for (const release of releases) await release();
  }
}

/** The collected rows for a table, by the names that the rows have. */
function rowsFor(
  { columnOf, label }: PushTarget,
  { schemaId, identifierFieldIds, fields }: Schema,
  table: string,
): BatchRows {
  return {
    open: async (connection, { schema }) => {
      if (fields.length === 0) return noRows(schema);
      // A column that is not of the rows gets a name that none of them has.
      const wanted = schema.fields.map((field): NestedField => {
        return { ...field, name: columnOf.get(field.name) ?? `${field.name} (not pushed)` };
      });
      const names = new Set(wanted.map(({ name }) => name));
      const taken = fields.flatMap((field, index) => (names.has(field.name) ? [{ field, column: `i${index}` }] : []));
      const sql = `SELECT ${taken.map(({ column }) => column).join(', ')} FROM ${table}`;
      const rows = { schema: { schemaId, identifierFieldIds, fields: taken.map(({ field }) => field) }, sql };
      return await exactRows(connection, rows, { ...schema, fields: wanted }, { input: 'the rows', target: label });
    },
  };
}
