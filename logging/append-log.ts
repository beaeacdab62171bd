/** Appending served features to their log: staged as files, then one commit that is recognised by its run key. */
import { randomUUID } from 'node:crypto';
import { loadRows, sqlType } from '../engine/index.js';
import { currentSchema, type DataFile, type Schema } from '../iceberg/index.js';
import { stageRows } from '../staging/index.js';
import { type CommitResult, commitAppend, type Table } from '../tables/index.js';
import type { LogColumn } from './log-columns.js';
import { ensureLogTable, type LogDeps } from './log-table.js';
import { type LoggedAnswer, loggedAnswer, type ServedFeatures } from './served-features.js';

/** Files of a batch that no reader can see yet. */
export interface StagedLog {
  readonly table: Table;
  readonly files: readonly DataFile[];
}

/** The result of appending. */
export interface AppendedLog {
  /** `NS.TABLE` parts of the log. */
  readonly table: Table['identifier'];
  readonly rows: number;
  /** Null: there were no rows, and nothing was committed. */
  readonly snapshotId: bigint | null;
  readonly outcome: CommitResult['outcome'] | 'nothing';
}

/**
 * Writes answers for a service to its log, durably, in one commit.
 * @param runKey work with the same key lands once, however often it is tried; a fresh one unless given
 * @throws TYPE_MISMATCH, DUPLICATE_NAME, INVALID_ARGUMENT, COMMIT_CONFLICT, COMMIT_STATE_UNKNOWN
 */
export async function writeLoggedFeatures(
  deps: LogDeps,
  service: string,
  served: readonly ServedFeatures[],
  runKey: string = randomUUID(),
): Promise<AppendedLog> {
  const answers = served.map(loggedAnswer);
  const rows = answers.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const staged = await stageLog(deps, service, answers);
  if (rows === 0) return { table: staged.table.identifier, rows, snapshotId: null, outcome: 'nothing' };
  const { snapshotId, outcome } = await commitLog(staged, runKey);
  return { table: staged.table.identifier, rows, snapshotId, outcome };
}

/** Commits staged files, once for each run key. */
export function commitLog({ table, files }: StagedLog, runKey: string): Promise<CommitResult> {
  return commitAppend(table, { files, run: { key: `log-${runKey}` } });
}

/** Writes the files of answers, after making sure that the log has their columns. */
export async function stageLog(deps: LogDeps, service: string, answers: readonly LoggedAnswer[]): Promise<StagedLog> {
  const groups = groupByColumns(answers);
  const columns = groups.flatMap((group) => group.columns);
  const table = await ensureLogTable(deps, service, columns);
  const schema = currentSchema(table.metadata);
  const files = await deps.engine.withConnection(async (connection) => {
    const selects: string[] = [];
    for (const [index, group] of groups.entries()) {
      const types = group.columns.map(({ type }) => type);
      await loadRows(connection, `log_rows_${index}`, types, rowsOf(group.answers));
      selects.push(selectSql(schema, group.columns, `log_rows_${index}`));
    }
    if (selects.length === 0) return [];
    const select = selects.join(' UNION ALL ');
    return stageRows(connection, table, { select, namePrefix: randomUUID() });
  });
  return { table, files };
}

interface AnswerGroup {
  readonly columns: readonly LogColumn[];
  readonly answers: LoggedAnswer[];
}

/** Answers of the same columns are loaded together. */
function groupByColumns(answers: readonly LoggedAnswer[]): readonly AnswerGroup[] {
  const groups = new Map<string, AnswerGroup>();
  for (const answer of answers) {
    const key = JSON.stringify(answer.columns.map(({ name, type }) => [name, type]));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { columns: answer.columns, answers: [answer] });
    else group.answers.push(answer);
  }
  return [...groups.values()];
}

function* rowsOf(answers: readonly LoggedAnswer[]) {
  for (const answer of answers) yield* answer.rows();
}

function selectSql(schema: Schema, columns: readonly LogColumn[], from: string): string {
  const outputs = schema.fields.map(({ name, type }) => {
    const index = columns.findIndex((column) => column.name === name);
    return `CAST(${index < 0 ? 'NULL' : `c${index}`} AS ${sqlType(type)})`;
  });
  return `SELECT ${outputs.join(', ')} FROM ${from}`;
}
