/**
 * The rows that a group becomes, and their order. Both are a function of the plan alone: whoever runs the statement again finds
 * every row at the same place, by which deletes that arrive meanwhile are carried over.
 */
import {
  type Connection,
  columnAlias,
  LAST_UPDATED,
  orderKey,
  ROW_ID,
  readableScanSql,
  type Scan,
  sqlLiteral,
  transformSql,
} from '../../engine/index.js';
import { newestFirst } from '../../features/index.js';
import { currentSchema, findField, type PrimitiveType, parseTransform, type Schema } from '../../iceberg/index.js';
import type { CompactionPlan, OnlineRows, SortTerm } from './compact-plan.js';
import type { OpenGroup } from './open-group.js';
import { zOrderTerms } from './z-order.js';

type PlanHead = Omit<CompactionPlan, 'groups'>;

/** Columns of {@link GroupRows.relation} beside those of the schema, which are called `c<id>`. */
const EXTRAS = { fileNumber: 'm_file', rowNumber: 'm_row', sequenceNumber: 'm_seq', rowId: 'm_id' } as const;

/** The rows of a group. */
export interface GroupRows {
  /** For a FROM clause: every live row, with `m_file`, `m_row` and whether it is kept, `m_kept`. */
  readonly relation: string;
  /** ORDER BY terms that leave no two rows equal. */
  readonly order: readonly string[];
  /** Whether reading gives the rows in this order. */
  readonly isInOrder: boolean;
  /** The columns that are written, those of row lineage last. */
  readonly schema: Schema;
  /** SQL of the columns of {@link GroupRows.schema}. */
  readonly columns: readonly string[];
}

/** @param connection that the group is open on; a z-order asks it for the bounds of its columns */
export async function groupRows(connection: Connection, plan: PlanHead, group: OpenGroup): Promise<GroupRows> {
  const schema = currentSchema(group.table.metadata);
  const { rowId, ...extras } = EXTRAS;
  const scan: Scan = {
    ...group.scan,
    schema,
    naming: 'id',
    extras: plan.hasLineage ? { ...extras, rowId } : extras,
  };
  const live = await readableScanSql(connection, scan);
  const relation =
    plan.online === null ? `(SELECT *, true AS m_kept FROM ${live})` : chosenSql(plan, plan.online, schema, live);
  const terms = await orderTerms(connection, plan, schema, `(SELECT * FROM ${relation} WHERE m_kept)`);
  const lineage = plan.hasLineage ? [ROW_ID, LAST_UPDATED] : [];
  return {
    relation,
    order: [...terms, 'm_file', 'm_row'],
    isInOrder: terms.length === 0 && plan.online === null && group.isInOrder,
    schema: { ...schema, fields: [...schema.fields, ...lineage] },
    columns: [
      ...schema.fields.map(({ id }) => columnAlias(id)),
      ...(plan.hasLineage ? [rowId, extras.sequenceNumber] : []),
    ],
  };
}

/** The statement that gives the rows to write. */
export function writtenSql({ relation, order, isInOrder, columns }: GroupRows): string {
  const select = `SELECT ${columns.join(', ')} FROM ${relation} WHERE m_kept`;
  return isInOrder ? select : `${select} ORDER BY ${order.join(', ')}`;
}

/** The kept rows by where they come from, `m_file` and `m_row`, with their places `m_place` among those that are written, from 0. */
export function placesSql({ relation, order }: GroupRows): string {
  return `SELECT m_file, m_row, row_number() OVER (ORDER BY ${order.join(', ')}) - 1 AS m_place FROM ${relation} WHERE m_kept`;
}

/**
 * Of an online table: a row that another write superseded, at an equal entity, event and created time, goes, because in one file
 * both have the same sequence number. `latest` keeps of the others the newest row of each entity up to now, and of each later event
 * time the one that wins; besides, the newest of these that were pushed (a rebuild from the source keeps those). Rows without an
 * entity or a time are nobody's: they stay.
 */
function chosenSql(plan: PlanHead, online: OnlineRows, schema: Schema, live: string): string {
  const [key, time, created] = [online.keyId, online.eventTimeId, online.createdId].map(columnAlias);
  const isNobodys = `(${key} IS NULL OR ${time} IS NULL)`;
  const newestWrite = `m_seq = max(m_seq) OVER (PARTITION BY ${key}, ${time}, ${created})`;
  const standing = `(SELECT *, ${isNobodys} OR ${newestWrite} AS m_stands FROM ${live})`;
  if (plan.strategy !== 'latest') return `(SELECT * RENAME (m_stands AS m_kept) FROM ${standing})`;
  const literal = (us: bigint): string => timeLiteral(schema, online.eventTimeId, us);
  // One turn for all of the past, and one for each time of the future.
  const turn = `CASE WHEN ${time} > ${literal(plan.nowUs)} THEN ${time} END`;
  const pushed = columnAlias(online.pushedId);
  const features = online.featureIds.flatMap((id) => {
    const field = findField(schema, id);
    return field === undefined ? [] : [{ sql: columnAlias(id), type: field.type }];
  });
  const terms = newestFirst({ timestamp: time ?? '', created, sequenceNumber: 'm_seq', features });
  const newest = [...terms, 'm_file', 'm_row'].join(', ');
  const isFirstOf = (...partition: readonly string[]): string =>
    `row_number() OVER (PARTITION BY ${[key, turn, 'm_stands', ...partition].join(', ')} ORDER BY ${newest}) = 1`;
  const isWanted = [isNobodys, isFirstOf(), `(${pushed} AND ${isFirstOf(pushed)})`].join(' OR ');
  const isFresh =
    plan.expiredBeforeUs === null ? 'true' : `coalesce(${time} >= ${literal(plan.expiredBeforeUs)}, true)`;
  return `(SELECT *, m_stands AND (${isWanted}) AND ${isFresh} AS m_kept FROM ${standing})`;
}

function timeLiteral(schema: Schema, fieldId: number, us: bigint): string {
  const type = findField(schema, fieldId)?.type as PrimitiveType;
  return sqlLiteral(type, type.kind.endsWith('_ns') ? us * 1000n : us);
}

async function orderTerms(
  connection: Connection,
  { order }: PlanHead,
  schema: Schema,
  kept: string,
): Promise<readonly string[]> {
  if (order.kind === 'sort') return order.terms.map((term) => sortTermSql(term, schema));
  if (order.kind === 'files') return [];
  const fields = order.fieldIds.flatMap((id) => schema.fields.find((field) => field.id === id) ?? []);
  return zOrderTerms(connection, kept, fields);
}

function sortTermSql({ fieldId, transform, direction, nullOrder }: SortTerm, schema: Schema): string {
  const type = findField(schema, fieldId)?.type as PrimitiveType;
  const value = transformSql(parseTransform(transform), type, columnAlias(fieldId));
  const key = transform === 'identity' ? orderKey(type, value) : value;
  return `${key} ${direction.toUpperCase()} ${nullOrder === 'nulls-first' ? 'NULLS FIRST' : 'NULLS LAST'}`;
}
