/** The dead letters of a sink of JSON records become rows, once the table or the mapping of fields was mended. */
import { formatTableName, parseTableName } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import type { Project } from '../project/index.js';
import {
  jsonRecords,
  type RecordMapping,
  type ReplayRequest,
  recordLines,
  replayDeadLetters as replay,
  tablesWithDeadLetters,
} from '../sink/index.js';
import { loadTable } from '../tables/index.js';
import { NO_COMMITS, type SinkTotals, withCommit } from './sink-totals.js';

export interface ReplayDeadLettersOptions
  extends Omit<RecordMapping, 'badRecords' | 'error'>,
    Omit<ReplayRequest, 'deadLetters' | 'table' | 'records'> {
  /** `[CATALOG/]NS.TABLE` that the dead letters were for; needed where they were for several tables, or the table has another name now. */
  readonly table?: string | undefined;
}

/** What a replay has done. */
export interface ReplayedDeadLetters extends Omit<SinkTotals, 'rejected'> {
  /** The table that has the rows now; null: there was no dead letter to replay. */
  readonly table: string | null;
  /** Dead letters that are no rows still, by reason. */
  readonly left: Readonly<Record<string, number>>;
  /** Whether the signal ended it before all dead letters were judged. */
  readonly isInterrupted: boolean;
}

/**
 * Writes the dead letters that fit their table now, and marks them as replayed, each once: also when a replay was killed, and when two run at once (the later one takes over).
 * @param deadLetterTable `[CATALOG/]NS.TABLE`, as a sink was given it
 * @throws TABLE_NOT_FOUND, INVALID_ARGUMENT, COLUMN_NOT_FOUND, TYPE_MISMATCH, SINK_FENCED
 */
export async function replayDeadLetters(
  project: Project,
  deadLetterTable: string,
  {
    table: tableName,
    signal,
    onBatch,
    onNotice,
    batchSize,
    dryRun,
    abandonLost,
    upsert,
    ...mapping
  }: ReplayDeadLettersOptions = {},
): Promise<ReplayedDeadLetters> {
  const { catalog, identifier } = await project.resolveTable(deadLetterTable);
  const deps = { catalog, io: project.io, engine: await project.engine() };
  const waiting = await tablesWithDeadLetters(deps, identifier);
  let totals = NO_COMMITS;
  const target = await targetOf(project, deadLetterTable, waiting, tableName);
  if (target === null) return { table: null, ...resultOf(totals), isInterrupted: false };
  await replay(deps, {
    ...{ deadLetters: identifier, table: target, signal, batchSize, dryRun, abandonLost, upsert, onNotice },
    records: (letters) => recordsOf(letters, deadLetterTable, mapping),
    onBatch: (batch) => {
      totals = withCommit(totals, batch);
      onBatch?.(batch);
    },
  });
  return { table: formatTableName(target), ...resultOf(totals), isInterrupted: signal?.aborted === true };
}

const resultOf = ({ rejected: left, ...totals }: SinkTotals) => ({ ...totals, left });

/** The table to write; null: no dead letter waits. */
async function targetOf(
  project: Project,
  deadLetterTable: string,
  waiting: ReadonlyMap<string, string>,
  given: string | undefined,
) {
  const { catalog: ofDeadLetters } = parseTableName(deadLetterTable);
  const [first, ...others] = waiting.values();
  if (given === undefined && others.length > 0)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `${deadLetterTable} has dead letters of ${[...waiting.values()].join(', ')}: name the table to replay (--table).`,
    );
  const name = given ?? first;
  if (name === undefined) return null;
  const { catalog: named, identifier } = parseTableName(name);
  const catalog = ofDeadLetters ?? project.config.defaultCatalog;
  if ((named ?? catalog) !== catalog)
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `${name} and its dead letters in ${deadLetterTable} must be in one catalog.`,
    );
  const { metadata } = await loadTable(await project.catalog(catalog), project.io, identifier);
  if (waiting.has(metadata.tableUuid)) return identifier;
  if (waiting.size === 0) return null;
  const known = [...waiting].map(([uuid, table]) => `${table} (uuid ${uuid})`).join(', ');
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `${deadLetterTable} has no dead letters for the table that ${name} is now; it has some for ${known}. Name that table as it is called now (--table).`,
  );
}

function recordsOf(letters: readonly Uint8Array[], source: string, mapping: RecordMapping) {
  const records = letters.map((value, index) => ({ offset: BigInt(index), value }));
  return jsonRecords(recordLines(records, source, source), { ...mapping, badRecords: 'drop' });
}
