/** Finding the cause of each value that differs. */
import { type Connection, columnAlias, quoteLiteral } from '../engine/index.js';
import type { Definitions, TableState } from '../features/index.js';
import type { Schema } from '../iceberg/index.js';
import type { CountedDifference, Difference, DifferenceCause, DifferenceExample } from './comparison.js';
import {
  type ComparedFeature,
  type ComparisonTables,
  differencesSql,
  explainedSql,
  lateSql,
  ttlSql,
} from './comparison-sql.js';
import { LOG_COLUMNS } from './log-columns.js';
import { logField } from './read-log.js';
import { type LoggedRetrieval, retrieveLogged } from './retrieve-logged.js';
import { sourceTimeline, type TimelineEntry } from './source-timeline.js';

/** A comparison whose values have been retrieved. */
export interface ComparisonContext {
  readonly connection: Connection;
  readonly tables: ComparisonTables;
  readonly retrieval: LoggedRetrieval;
  readonly definitions: Definitions;
  /** Schema of the log. */
  readonly schema: Schema;
  /** State of every source table that was read. */
  readonly sources: ReadonlyMap<string, TableState>;
  /** Those that differ somewhere. */
  readonly features: readonly ComparedFeature[];
}

export interface ExplainedDifferences {
  readonly counts: readonly CountedDifference[];
  readonly undatable: number;
  readonly examples: readonly DifferenceExample[];
}

/** Counts the values that differ by cause. @param examples how many are shown of each feature, difference and cause */
export async function explainDifferences(context: ComparisonContext, examples: number): Promise<ExplainedDifferences> {
  const { connection, tables, features } = context;
  if (features.length === 0) return { counts: [], undatable: 0, examples: [] };
  await connection.run(differencesSql(tables, features));
  await connection.run(`CREATE TABLE ${tables.causes()} (r BIGINT, feature INTEGER, cause VARCHAR)`);
  const undatable = await findLate(context);
  await findTtl(context);
  await connection.run(`CREATE TABLE ${tables.explained()} AS ${explainedSql(tables)}`);
  const counted = await connection.rows(
    `SELECT feature, difference, cause, count(*) FROM ${tables.explained()} GROUP BY ALL ORDER BY ALL`,
  );
  const counts = counted.map(([feature, difference, cause, count]) => ({
    feature: Number(feature),
    difference: difference as Difference,
    cause: cause as DifferenceCause,
    count: Number(count),
  }));
  return { counts, undatable, examples: examples > 0 ? await exampleRows(context, examples) : [] };
}

/**
 * Marks the values for which the sources, as they were when the answer was given, have another row.
 * @returns the number of values of which that cannot be known, because a snapshot has been expired
 */
async function findLate(context: ComparisonContext): Promise<number> {
  const { connection, tables, sources, retrieval } = context;
  const names = [...sources.keys()];
  const timelines = await Promise.all(
    names.map(async (name) => sourceTimeline((await retrieval.deps.loadSource(name)).metadata)),
  );
  await connection.run(await statesSql(context, timelines));
  const columns = names.map((_, source) => `s${source}`);
  const groups = await connection.rows(
    `SELECT ${columns.join(', ')}, count(*) FROM ${tables.states()} JOIN ${tables.differences()} USING (r) GROUP BY ALL ORDER BY ALL`,
  );
  let undatable = 0;
  for (const [index, group] of groups.entries()) {
    const entries = names.map((_, source) => timelines[source]?.[Number(group[source])]?.state ?? null);
    if (entries.includes('unknown')) {
      undatable += Number(group[names.length]);
      continue;
    }
    const then = new Map<string, TableState>();
    for (const [source, [name, state]] of [...sources].entries()) {
      then.set(name, { ...state, snapshotId: entries[source] as bigint | null });
    }
    if ([...then].every(([name, { snapshotId }]) => sources.get(name)?.snapshotId === snapshotId)) continue;
    const which = `then ${index}`;
    const matching = columns.map((column, source) => `${column} = ${Number(group[source])}`).join(' AND ');
    const where = `r IN (SELECT r FROM ${tables.states()} WHERE ${matching})`;
    await retrieveLogged(retrieval, { which, where, sources: then });
    await connection.run(lateSql(tables, which, context.features));
    await connection.run(`DROP TABLE ${tables.retrieved(which)}`);
  }
  return undatable;
}

/** For each row with a difference, which entry of each source's timeline was current when it was logged: `s0..`. */
async function statesSql(
  { connection, tables, schema }: ComparisonContext,
  timelines: readonly (readonly TimelineEntry[])[],
): Promise<string> {
  const logged = columnAlias(logField(schema, LOG_COLUMNS.logTimestamp).id);
  const rows = `SELECT r, epoch_ms(${logged}) AS ms FROM ${tables.served()} WHERE r IN (SELECT r FROM ${tables.differences()})`;
  const joins: string[] = [];
  for (const [source, entries] of timelines.entries()) {
    const values = entries.map(({ fromMs }, index) => `('${fromMs}'::BIGINT, ${index})`).join(', ');
    await connection.run(`CREATE TABLE ${tables.timeline(source)} AS FROM (VALUES ${values}) AS t(ms, i)`);
    joins.push(`ASOF JOIN ${tables.timeline(source)} AS l${source} ON d.ms >= l${source}.ms`);
  }
  const states = timelines.map((_, source) => `l${source}.i AS s${source}`);
  return `CREATE TABLE ${tables.states()} AS SELECT ${['d.r', ...states].join(', ')} FROM (${rows}) AS d ${joins.join(' ')}`;
}

/** Marks the values that were served and that retrieval withholds for their age. */
async function findTtl({ connection, tables, retrieval, definitions, sources, features }: ComparisonContext) {
  const rows = `SELECT r FROM ${tables.differences()} WHERE difference = 'extra' AND NOT has_row`;
  const [[count] = []] = await connection.rows(`SELECT count(*) FROM (${rows})`);
  if (Number(count) === 0) return;
  const featureViews = new Map([...definitions.featureViews].map(([name, view]) => [name, { ...view, ttlMs: null }]));
  const which = 'without ttl';
  await retrieveLogged(retrieval, {
    which,
    where: `r IN (${rows})`,
    sources,
    definitions: { ...definitions, featureViews },
  });
  await connection.run(ttlSql(tables, which, features));
}

/** Examples are texts, counts and times. */
type Cell = string | number | bigint | null;

async function exampleRows(
  { connection, tables, retrieval, schema, features }: ComparisonContext,
  examples: number,
): Promise<readonly DifferenceExample[]> {
  const requestId = columnAlias(logField(schema, LOG_COLUMNS.requestId).id);
  const time = columnAlias(retrieval.eventTimestamp.id);
  const keys = retrieval.keys.map(({ id }) => `s.${columnAlias(id)}::VARCHAR`);
  const parts = features.map((feature) => {
    const columns = [
      'd.r AS r',
      `${feature.index} AS feature`,
      quoteLiteral(feature.name),
      'd.difference AS difference',
      'd.cause AS cause',
      `s.${requestId}`,
      `epoch_us(s.${time})`,
      `s.${feature.status}`,
      `s.${feature.value}::VARCHAR`,
      `epoch_us(s.${feature.servedTime})`,
      `o.${feature.offline}::VARCHAR`,
      `o.${feature.offlineTime}`,
      ...keys,
    ];
    const from = `${tables.explained()} AS d JOIN ${tables.served()} AS s ON d.r = s.r JOIN ${tables.retrieved('now')} AS o ON d.r = o.r`;
    const first = `QUALIFY row_number() OVER (PARTITION BY d.difference, d.cause ORDER BY d.r) <= ${examples}`;
    return `(SELECT ${columns.join(', ')} FROM ${from} WHERE d.feature = ${feature.index} ${first})`;
  });
  const rows = (await connection.rows(
    `${parts.join(' UNION ALL ')} ORDER BY feature, difference, cause, r`,
  )) as Cell[][];
  const text = (value: Cell | undefined): string | null => (value == null ? null : String(value));
  const big = (value: Cell | undefined): bigint | null => (value == null ? null : BigInt(value));
  return rows.map(
    ([, , feature, difference, cause, request, at, status, served, servedAt, offline, offlineAt, ...key]) => ({
      feature: String(feature),
      difference: difference as Difference,
      cause: cause as DifferenceCause,
      requestId: String(request),
      entity: new Map(retrieval.keys.map(({ name }, index) => [name, text(key[index])])),
      eventTimestampUs: big(at) ?? 0n,
      status: String(status),
      served: text(served),
      servedEventTimestampUs: big(servedAt),
      offline: text(offline),
      offlineEventTimestampUs: big(offlineAt),
    }),
  );
}
