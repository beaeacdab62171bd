/** How a retrieval is done, without doing it: what is read of each view, why the rest is not, and how it is joined. */
import type { Connection } from '../../engine/index.js';
import {
  type BoundExpression,
  type Schema,
  stringifyJson,
  temporalText,
  typeToString,
  valueToJson,
} from '../../iceberg/index.js';
import type { ChosenEngine } from '../../reduction/index.js';
import type { ReadReport } from '../read-report.js';
import { stateOf, type TableState } from '../views/pin-source.js';
import { getHistoricalFrame, type HistoricalDeps, type HistoricalRequest, joinContext } from './historical-features.js';
import { estimatePairs } from './join-method.js';
import type { JoinMethod } from './point-in-time-sql.js';
import type { PlannedView } from './retrieval-plan.js';
import { countTies } from './tie-count-sql.js';
import { type JoinedView, type PreparedJoin, prepareJoin } from './view-join.js';

/** A bound that the entity frame puts on a column of the feature table; values as text. */
export interface ColumnBound {
  readonly column: string;
  /** The smallest and largest value that can match; either may be missing. */
  readonly from?: string;
  readonly to?: string;
  /** Number of values listed instead of a range. */
  readonly values?: number;
}

/** How one view is read and joined. */
export interface ViewExplanation extends ReadReport {
  readonly view: string;
  readonly table: string;
  readonly source: TableState;
  readonly bounds: readonly ColumnBound[];
  readonly method: JoinMethod | 'window';
  /** Who reduces the feature rows to those that may win, and why; null for a window. */
  readonly engine: ChosenEngine | null;
  /** Pairs of entity rows and feature rows that share their keys, and of them those within the ttl, as estimated; null when nothing is joined. */
  readonly estimate: { readonly entities: number; readonly candidates: number; readonly matches: number } | null;
  /** Entity rows whose feature row was chosen by value: rows tied in event time, created time and sequence number. Null for a window. */
  readonly tiesDecidedByValue: number | null;
}

/** Explanation of a retrieval. */
export interface Explanation {
  readonly entityRows: number;
  readonly entitySources: ReadonlyMap<string, TableState>;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly views: ReadonlyMap<string, ViewExplanation>;
}

/**
 * Explains a retrieval: the entity rows are loaded, files are planned and opened, the join is chosen and ties are counted, which joins the
 * keys and times of the files that are left in the way that was chosen. No features are joined.
 * @throws as `getHistoricalFeatures`
 */
export function explainHistoricalFeatures(deps: HistoricalDeps, request: HistoricalRequest): Promise<Explanation> {
  return getHistoricalFrame(deps, request, async ({ connection, plan, opened, schema }) => {
    const views = new Map<string, ViewExplanation>();
    const context = joinContext(deps, request, connection);
    for (const [index, view] of plan.views.entries()) {
      const { alias } = view.requested;
      const windowed = opened.joins.get(alias);
      if (windowed !== undefined) views.set(alias, explainWindow(view, windowed));
      else {
        const prepared = await prepareJoin(context, opened.frame, view.join, `explain_${index}`, { reduces: false });
        views.set(alias, await explainJoin(connection, view, prepared));
      }
    }
    const entitySources = new Map([...opened.sources].map(([name, source]) => [name, stateOf(source)]));
    return { entityRows: opened.frame.rowCount, entitySources, columns: columnsOf(schema), views };
  });
}

const columnsOf = (schema: Schema) => schema.fields.map(({ name, type }) => ({ name, type: typeToString(type) }));

function explainWindow(view: PlannedView, joined: JoinedView): ViewExplanation {
  const { view: resolved, source } = view.join;
  return {
    view: resolved.name,
    table: resolved.sourceTable,
    source: stateOf(source),
    ...joined.read,
    bounds: [],
    method: 'window',
    engine: null,
    estimate: null,
    tiesDecidedByValue: null,
  };
}

async function explainJoin(
  connection: Connection,
  { join }: PlannedView,
  { sql, method, read, bounds, shape, engine }: PreparedJoin,
): Promise<ViewExplanation> {
  return {
    view: join.view.name,
    table: join.view.sourceTable,
    source: stateOf(join.source),
    ...read,
    bounds: bounds === null ? [] : boundsOf(bounds.filter),
    method,
    engine,
    estimate: shape === null ? null : { entities: shape.entities, ...estimatePairs(shape) },
    tiesDecidedByValue: bounds === null ? 0 : await countTies(connection, sql, method),
  };
}

/** The conditions that the frame puts on columns, one entry for each column. */
function boundsOf(filter: BoundExpression): readonly ColumnBound[] {
  const bounds = new Map<string, ColumnBound>();
  const children = filter.op === 'and' ? filter.children : [filter];
  for (const child of children) {
    if (child.op === 'in') bounds.set(child.ref.path, { column: child.ref.path, values: child.literals.length });
    if (child.op !== 'gt-eq' && child.op !== 'lt-eq') continue;
    const { path, type } = child.ref;
    const text = temporalText(type, child.literal, 'Z') ?? stringifyJson(valueToJson(type, child.literal));
    const end = child.op === 'gt-eq' ? { from: text } : { to: text };
    bounds.set(path, { ...(bounds.get(path) ?? { column: path }), ...end });
  }
  return [...bounds.values()];
}
